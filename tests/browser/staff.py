"""The first administrator at the admin's door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.accounts.twofactor.authenticator import code_of

if TYPE_CHECKING:
    from tests.browser.product import Product
    from tests.browser.visitor import Visitor


class Staff:
    """The first administrator at a browser."""

    def __init__(self, person: Visitor, product: Product) -> None:
        self.person, self.page, self.product = person, person.page, product
        self.secret = ""
        self.recovery_codes: list[str] = []

    def give_password(self, password: str = "") -> None:
        self.person.open("/admin/")
        self.page.get_by_label("E-mail").fill(self.product.email)
        self.page.get_by_label("Password").fill(password or self.product.password)
        self.person.press(self.page.get_by_role("button", name="Sign in"))

    def read_secret(self) -> str:
        """The key that the page of the set-up shows."""
        self.secret = self.page.inner_text(".key").replace(" ", "")
        return self.secret

    def give_code(self, code: str, button: str) -> None:
        self.page.get_by_label("Code").fill(code)
        self.person.press(self.page.get_by_role("button", name=button))

    def enter(self) -> None:
        """Sign in for the first time, to the overview."""
        self.give_password()
        self.give_code(code_of(self.read_secret()), "Turn it on")
        self.person.press(self.page.get_by_role("link", name="I have kept them"))

    def follow_person(self, email: str) -> None:
        self.person.open("/admin/accounts/user/")
        self.person.press(self.page.get_by_role("link", name=email))
