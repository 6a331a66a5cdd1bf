"""Staff at the admin's door, and the words for what they do there."""

import html
import re
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone

from accounts.identity.models import User
from accounts.staff import StaffRole, create_staff
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.totp import STEP_SECONDS, new_secret
from tests.accounts.twofactor.authenticator import code_of
from tests.base import MadeOnceTestCase

INDEX = "/admin/"
LOGIN = "/admin/login/"
CODE = "/admin/login/code/"
SETUP = "/admin/login/setup/"
LOGOUT = "/admin/logout/"


@dataclass
class Staff:
    """A staff member with what they know and, once enrolled, the secret of their app."""

    user: User
    password: str
    secret: str = ""


def hire(role: StaffRole = StaffRole.ADMINISTRATOR, *, email: str = "omar@staff.example.in") -> Staff:
    """A staff member who has never signed in."""
    made = create_staff(email=email, name="Omar Farooq", role=role)
    return Staff(made.user, made.password)


def with_factor(staff: Staff) -> Staff:
    """The same, with the second factor on."""
    staff.secret = new_secret()
    now = timezone.now()
    device = TotpDevice(user=staff.user, secret=staff.secret, created_at=now, confirmed=True, confirmed_at=now)
    device.save(force_insert=True)
    return staff


class AdminTestCase(MadeOnceTestCase):
    """A browser at the admin; the clock stands."""

    def give_password(self, staff: Staff, password: str | None = None, **extra: Any) -> Any:
        given = staff.password if password is None else password
        return self.client.post(LOGIN, {"email": staff.user.email, "password": given, **extra})

    def give_code(self, code: str) -> Any:
        return self.client.post(CODE, {"code": code})

    def enter(self, role: StaffRole = StaffRole.ADMINISTRATOR, **who: Any) -> Staff:
        """A staff member of this role, signed in with both factors."""
        staff = with_factor(hire(role, **who))
        self.pass_the_door(staff)
        return staff

    def pass_the_door(self, staff: Staff) -> None:
        self.give_password(staff)
        self.assertRedirects(self.give_code(code_of(staff.secret)), INDEX, fetch_redirect_response=False)
        self.clock.advance(seconds=STEP_SECONDS)  # so that the app has a code nobody used

    def assertInside(self) -> None:
        self.assertEqual(self.client.get(INDEX).status_code, 200)

    def assertOutside(self, path: str = INDEX) -> None:
        self.assertRedirects(self.client.get(path), f"{LOGIN}?next={path}", fetch_redirect_response=False)

    def page_of(self, thing: Any) -> str:
        return reverse(f"admin:accounts_{thing._meta.model_name}_change", args=[thing.pk])

    def press(self, thing: Any, act: str) -> Any:
        """Press a button of the page of `thing`, whether or not it is shown there."""
        return self.client.post(reverse(f"admin:accounts_{thing._meta.model_name}_act", args=[thing.pk, act]))

    def key_on(self, response: Any) -> str:
        """The secret that an enrolment page shows."""
        found = re.search(r'class="key">([^<]+)<', response.content.decode())
        self.assertIsNotNone(found, response.content)
        return found[1].replace(" ", "")

    def codes_on(self, response: Any) -> list[str]:
        return [html.unescape(code) for code in re.findall(r"<li>([A-Za-z2-9-]{20,})</li>", response.content.decode())]

    def data_of(self, type_: str) -> list[dict]:
        return [event.parsed_leaf().data for event in self.audited(type_)]
