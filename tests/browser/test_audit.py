"""The audit log as staff meet it: searched, an event read and disclosed, its proof and a year taken away."""

import re
from collections.abc import Callable, Iterator

import pytest

from security.tlog import verify_bundle
from tests.browser.product import Product, running_product
from tests.browser.staff import Staff
from tests.browser.visitor import SIZES, visitor

# Starting the product takes most of it.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LIST = "/admin/security/auditevent/"
PERSON = "asha@lotus.example.in"


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Iterator[Product]:
    with running_product(tmp_path_factory.mktemp("product")) as running:
        running.register()
        yield running


def tell_of_a_change() -> str:
    """Record an event as the trail of writes tells them, seal and verify; the key of the log. In the product."""
    from django.db import transaction

    from accounts.identity.models import User
    from security.audit import Action, record
    from security.retention import place_log_hold
    from security.tlog import AuditLog, seal_on_schedule, verify_on_schedule

    user = User.objects.get(email=PERSON)
    change = {"table": "accounts_user", "op": "update", "id": str(user.pk)}
    before, after = {"role": "VIEWER", "is_active": True}, {"role": "ADMIN", "is_active": True}
    with transaction.atomic():
        record(
            Action.PROFILE_UPDATED,
            actor=user.subject,
            company=user.company.subject,
            data={"fields": ["role"], "changes": [{**change, "before": before, "after": after}]},
            pii={"name": "Asha Rao"},
        )
    place_log_hold(reason="CASE-12")
    seal_on_schedule()
    verify_on_schedule()
    return AuditLog.objects.get().verifier_key


def test_an_auditors_day(chromium, product):
    """One story, since each step begins where the one before it ended."""
    staff = Staff(visitor(chromium, product.url), product)
    staff.enter()
    staff.log_key = product.call("tests.browser.test_audit.tell_of_a_change")
    for step in STORY:
        step(staff)
        assert staff.person.complaints == [], step.__name__


def the_list_names_people_and_how_far_it_is_proved(staff: Staff) -> None:
    staff.person.press(staff.page.get_by_role("link", name="Audit events").first)
    told = staff.page.inner_text("#content")
    assert re.search(r"\d+ events sealed", told)
    assert PERSON in told
    assert "Lotus Traders" in told
    staff.person.keep_picture("40-audit-list")


def the_proof_of_each_is_in_sight_in_a_small_window(staff: Staff) -> None:
    staff.page.set_viewport_size({"width": 1200, "height": 800})
    results = staff.page.locator(".results")
    assert results.evaluate("box => box.scrollWidth <= box.clientWidth")
    heads = staff.page.locator("#result_list thead th")
    for head in (heads.first, heads.last):
        place = head.bounding_box()
        assert place is not None
        assert 0 <= place["x"] <= place["x"] + place["width"] <= 1200
    assert "(command)" in results.inner_text()
    staff.person.keep_picture("40-audit-list-1200")
    staff.page.set_viewport_size(SIZES["desktop"])


def a_search_finds_what_was_asked_for(staff: Staff) -> None:
    staff.page.get_by_label("Who did it").fill(PERSON)
    staff.page.get_by_label("Action").select_option("profile.updated")
    staff.person.press(staff.page.get_by_role("button", name="Search"))
    assert staff.page.locator("#result_list tbody tr").count() == 1
    assert "These are the last." in staff.page.inner_text("#content")
    staff.person.keep_picture("41-audit-search")


def a_wrong_word_is_told_at_its_field(staff: Staff) -> None:
    staff.page.get_by_label("Company").fill("nobody@example.in")
    staff.person.press(staff.page.get_by_role("button", name="Search"))
    assert "Nobody has this e-mail address or id now." in staff.page.inner_text(".errorlist")
    staff.person.keep_picture("42-audit-wrong-search")
    staff.page.go_back()


def an_event_is_readable_and_its_personal_values_are_closed(staff: Staff) -> None:
    staff.person.press(staff.page.locator("#result_list tbody th a").first)
    told = staff.page.inner_text("#content")
    assert "leads to the signed root" in told
    assert "verified on" in told
    assert "− VIEWER" in told
    assert "+ ADMIN" in told
    assert "Asha Rao" not in told
    staff.person.keep_picture("43-audit-event")


def its_proof_and_itself_are_files_that_a_stranger_checks(staff: Staff) -> None:
    files = []
    for name in ("Its proof", "the event"):
        with staff.page.expect_download() as download:
            staff.page.get_by_role("link", name=name).click()
        files.append(download.value.path().read_bytes())
    told = verify_bundle.verify_single(files[0].decode(), files[1], [verify_bundle.parse_key(staff.log_key)])
    assert "profile.updated" in told[1]


def a_reason_discloses_them_once(staff: Staff) -> None:
    staff.page.get_by_label("Reason").fill("incident 4712")
    staff.person.press(staff.page.get_by_role("button", name="Disclose"))
    assert "Asha Rao" in staff.page.inner_text("#content")
    staff.person.keep_picture("44-audit-disclosed")


def it_fits_a_phone(staff: Staff) -> None:
    staff.page.set_viewport_size(SIZES["phone"])
    for number, path in enumerate((staff.page.url.removeprefix(staff.product.url).replace("disclose", "change"), LIST)):
        staff.person.open(path)
        assert staff.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        staff.person.keep_picture(f"45-audit-phone-{number}")
    staff.page.set_viewport_size(SIZES["desktop"])


def a_year_is_a_file(staff: Staff) -> None:
    staff.person.press(staff.page.get_by_role("link", name="Take a financial year away"))
    staff.person.keep_picture("46-audit-years")
    with staff.page.expect_download() as download:
        staff.page.get_by_role("link", name="csv").first.click()
    assert re.fullmatch(r"audit-20\d\d-\d\d\.csv", download.value.suggested_filename)
    assert PERSON in download.value.path().read_text(encoding="utf-8-sig")


STORY: tuple[Callable[[Staff], None], ...] = (
    the_list_names_people_and_how_far_it_is_proved,
    the_proof_of_each_is_in_sight_in_a_small_window,
    a_search_finds_what_was_asked_for,
    a_wrong_word_is_told_at_its_field,
    an_event_is_readable_and_its_personal_values_are_closed,
    its_proof_and_itself_are_files_that_a_stranger_checks,
    a_reason_discloses_them_once,
    it_fits_a_phone,
    a_year_is_a_file,
)
