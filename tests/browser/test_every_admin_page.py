"""Every page of the admin in a real browser, while the rows it shows are attacks upon it."""

from collections.abc import Callable

import pytest
from django.contrib import admin

from tests.browser.hostile import MARK, PAYLOADS
from tests.browser.staff import Staff
from tests.browser.visitor import visitor
from tests.browser.walk import Walk, lists, routes

# Starting the product takes much of it.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# What the API lets in of it; `make_hostile` writes the rest.
COMPANY = {
    "companyName": "Kaveri \" onload='alert(1)",
    "companyEmail": "office@kaveri.example.in",
    "adminName": "{{7*7}} javascript:alert(1)",
    "adminEmail": "chitra@kaveri.example.in",
}
INLINE = "script-src-elem refuses inline"


def test_no_page_lets_what_it_shows_act_and_none_is_refused_anything(chromium, product):
    """One story, since each step begins where the one before it ended.

    No dialog, no request, no element, no console line; and no violation of the policy, in the page or at the server.
    """
    product.register(user_agent=PAYLOADS[0], **COMPANY)
    hostile = product.call("tests.browser.hostile.make_hostile")
    staff = Staff(visitor(chromium, product.url), product)
    staff.enter()
    walk = Walk(staff, hostile)
    walk.look("overview")
    for step in STORY:
        step(walk)
    print(f"{walk.pages_walked} pages of {len(routes())} routes of the admin: nothing refused, nothing acted")


def every_link_of_every_page_is_followed(walk: Walk) -> None:
    walk.follow_every_link()
    assert any("p=2" in url for url in walk.person.asked), "no list had a second page"


def lists_are_searched_for_the_attack(walk: Walk) -> None:
    walk.search_for_the_hostile()


def addresses_are_typed_that_no_link_leads_to(walk: Walk) -> None:
    walk.type_hostile_addresses()


def switches_of_the_page_itself_work(walk: Walk) -> None:
    walk.look_at(lists()[0])
    theme = walk.page.locator("html").get_attribute("data-theme")
    walk.page.locator(".theme-toggle").first.click()
    assert walk.page.locator("html").get_attribute("data-theme") != theme
    walk.page.locator("#toggle-nav-sidebar").click()
    walk.page.locator("#toggle-nav-sidebar").click()
    walk.page.locator("#nav-filter").fill(PAYLOADS[0])
    walk.look("switches")


def every_form_is_sent(walk: Walk) -> None:
    walk.send_every_form()


def after_leaving_every_page_is_the_door(walk: Walk) -> None:
    walk.person.press(walk.page.get_by_role("button", name="Log out"))
    walk.look("logged out")
    for address in lists():
        walk.look_at(address)
        assert walk.page.get_by_label("Password").is_visible()
    walk.staff.give_password()
    walk.look("code")


def no_page_was_forgotten(walk: Walk) -> None:
    seen = walk.routes_seen()
    missed = {name for name, _ in routes()} - {name.removeprefix("admin:") for name in seen}
    assert missed == set(), missed
    assert len(lists()) == len(admin.site._registry) >= 4
    assert walk.staff.product.policy_reports() == []


def what_the_walk_looks_for_would_have_been_found(walk: Walk) -> None:
    """The proof of all that came before: with attacks let in by us, each of its eyes sees."""
    assert walk.foreign() == []
    with walk.page.expect_request(f"**/{MARK}"):
        walk.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", PAYLOADS[0])
    assert len(walk.foreign()) == 3
    assert not walk.person.plants_a_script()
    assert any(INLINE in line for line in walk.person.complaints)
    walk.page.evaluate("alert(1)")
    assert "dialog: 1" in walk.person.complaints
    assert walk.staff.product.has_noted(("script-src-elem", "inline", "/admin/login/code/"))


STORY: tuple[Callable[[Walk], None], ...] = (
    every_link_of_every_page_is_followed,
    lists_are_searched_for_the_attack,
    addresses_are_typed_that_no_link_leads_to,
    switches_of_the_page_itself_work,
    every_form_is_sent,
    after_leaving_every_page_is_the_door,
    no_page_was_forgotten,
    what_the_walk_looks_for_would_have_been_found,
)
