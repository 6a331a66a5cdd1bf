"""The admin as a staff member meets it: the first sign-in sets up the second factor, then people can be helped."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.accounts.twofactor.authenticator import code_of
from tests.browser.product import Product, running_product
from tests.browser.staff import Staff
from tests.browser.visitor import SIZES, visitor

# Starting the product takes most of it.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_CLOSED = "/admin/login/?next=/admin/"
_REMARK = "Failed to load resource: the server responded with a status of 404"
_BLUE = "rgb(65, 118, 144)"  # of the admin's own style sheet


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Iterator[Product]:
    with running_product(tmp_path_factory.mktemp("product")) as running:
        running.register()
        yield running


def test_a_staff_members_first_day(chromium, product):
    """One story, since each step begins where the one before it ended.

    A page that the browser had something to say about is broken, whatever it looks like.
    """
    staff = Staff(visitor(chromium, product.url), product)
    for step in STORY:
        step(staff)
        assert staff.person.complaints == [], step.__name__


def a_wrong_password_is_told_in_plain_words(staff: Staff) -> None:
    staff.give_password("Monsoon-Ledger-48")
    assert "E-mail or password is not correct." in staff.page.inner_text("body")
    staff.person.keep_picture("01-wrong-password")


def the_first_sign_in_shows_a_picture_and_a_key(staff: Staff) -> None:
    staff.give_password()
    picture = staff.page.get_by_alt_text("QR code for your authenticator app")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    assert re.fullmatch(r"[A-Z2-7]{32}", staff.read_secret())
    staff.person.keep_picture("02-setup")


def the_code_of_the_app_turns_it_on_and_shows_ten_recovery_codes(staff: Staff) -> None:
    staff.give_code(code_of(staff.secret), "Turn it on")
    staff.recovery_codes = staff.page.locator(".codes li").all_inner_texts()
    assert len(staff.recovery_codes) == 10
    staff.person.keep_picture("03-recovery-codes")
    staff.person.press(staff.page.get_by_role("link", name="I have kept them"))
    assert staff.page.url == staff.product.url + "/admin/"
    staff.person.keep_picture("04-overview")


def lists_and_pages_are_shown_under_the_strict_policy(staff: Staff) -> None:
    for name in ("user", "company", "session"):
        staff.person.open(f"/admin/accounts/{name}/")
        staff.person.keep_picture(f"05-{name}-list")
        staff.person.press(staff.page.locator("#result_list tbody th a").first)
        assert staff.page.locator("fieldset").count() >= 1
        staff.person.keep_picture(f"06-{name}")


def each_column_of_a_list_is_in_sight_on_a_small_laptop(staff: Staff) -> None:
    for name in ("user", "company", "session"):
        staff.person.open(f"/admin/accounts/{name}/")
        for width in (1100, 1200, 1280, 1400):
            staff.page.set_viewport_size({"width": width, "height": 800})
            hidden = staff.page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.results'))")
            assert hidden <= 0, (width, name, hidden)
    staff.page.set_viewport_size(SIZES["desktop"])


def a_person_can_be_helped_and_their_phone_stays_hidden(staff: Staff) -> None:
    staff.follow_person("asha@lotus.example.in")
    assert "9876543210" not in staff.page.inner_text("body")
    staff.person.press(staff.page.get_by_role("button", name="End all sessions"))
    assert "Sessions ended: 1." in staff.page.inner_text("body")
    staff.person.press(staff.page.get_by_role("button", name="Send a reset link"))
    assert "is on its way" in staff.page.inner_text("body")
    staff.person.keep_picture("07-helped")


def ones_own_password_has_a_page(staff: Staff) -> None:
    staff.person.press(staff.page.get_by_role("link", name="Change password"))
    staff.page.get_by_label("Current password").fill(staff.product.password)
    staff.page.get_by_label("New password:").fill("short")
    staff.page.get_by_label("New password again").fill("short")
    staff.person.press(staff.page.get_by_role("button", name="Change password"))
    assert "Use at least 8 characters." in staff.page.inner_text(".errornote")
    staff.person.keep_picture("08-weak-password")


def logging_out_closes_every_page(staff: Staff) -> None:
    staff.person.press(staff.page.get_by_role("button", name="Log out"))
    assert staff.page.url == staff.product.url + "/admin/login/"
    staff.person.open("/admin/")
    assert staff.page.url == staff.product.url + _CLOSED


def the_next_sign_in_asks_for_a_code_and_a_recovery_code_will_do(staff: Staff) -> None:
    staff.give_password()
    staff.person.keep_picture("09-code")
    staff.give_code(staff.recovery_codes[0], "Continue")
    assert staff.page.url == staff.product.url + "/admin/"


def what_is_not_there_is_told_on_a_page_that_leads_back(staff: Staff) -> None:
    answer = staff.page.goto(staff.product.url + "/admin/accounts/nothing/")
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    told = staff.page.inner_text("main")
    assert "There is nothing at this address." in told
    assert answer.headers["x-request-id"] in told
    staff.person.keep_picture("10-not-found")
    # The browser itself remarks upon the status; a refused style, script or picture would be a second line.
    assert [line.split(" (")[0] for line in staff.person.complaints] == [_REMARK]
    staff.person.complaints.clear()
    assert staff.page.evaluate("getComputedStyle(document.querySelector('#header')).backgroundColor") == _BLUE
    staff.person.press(staff.page.get_by_role("link", name="Back to the overview"))
    assert staff.page.url == staff.product.url + "/admin/"


def it_fits_a_phone(staff: Staff) -> None:
    staff.page.set_viewport_size(SIZES["phone"])
    for path in ("/admin/", "/admin/accounts/user/"):
        staff.person.open(path)
        assert staff.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    staff.person.keep_picture("10-phone-list")
    staff.follow_person("asha@lotus.example.in")
    staff.person.keep_picture("11-phone-person")


STORY: tuple[Callable[[Staff], None], ...] = (
    a_wrong_password_is_told_in_plain_words,
    the_first_sign_in_shows_a_picture_and_a_key,
    the_code_of_the_app_turns_it_on_and_shows_ten_recovery_codes,
    lists_and_pages_are_shown_under_the_strict_policy,
    each_column_of_a_list_is_in_sight_on_a_small_laptop,
    a_person_can_be_helped_and_their_phone_stays_hidden,
    ones_own_password_has_a_page,
    logging_out_closes_every_page,
    the_next_sign_in_asks_for_a_code_and_a_recovery_code_will_do,
    what_is_not_there_is_told_on_a_page_that_leads_back,
    it_fits_a_phone,
)
