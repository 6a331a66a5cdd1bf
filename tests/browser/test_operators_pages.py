"""The operators' pages with a year of history, in a real browser: light and dark, wide and narrow, and live."""

from __future__ import annotations

import pytest

from tests.browser.product import running_product
from tests.browser.staff import Staff
from tests.browser.visitor import visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PAGES = {
    "dashboard": "/admin/monitoring/metricseries/",
    "dashboard-1d": "/admin/monitoring/metricseries/?period=1d",
    "dashboard-30d": "/admin/monitoring/metricseries/?period=30d",
    "dashboard-400d": "/admin/monitoring/metricseries/?period=400d",
    "numbers": "/admin/monitoring/metricseries/numbers/durations/?period=1d",
    "schedule": "/admin/monitoring/schedulerun/",
    "statements": "/admin/monitoring/recordedstatement/",
    "repeated": "/admin/monitoring/recordedstatement/?by=repeated",
    "advice": "/admin/monitoring/recordedstatement/advice/",
    "alerts": "/admin/monitoring/alertstate/",
    "reviews": "/admin/monitoring/performancereview/",
}
NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 860}
_TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    with running_product(tmp_path_factory.mktemp("demonstration")) as running:
        running.call("koshflow.demo.fill_demo")
        yield running


def test_the_operators_pages(chromium, demonstration):
    """No complaint of browser or policy on any page, in either theme, at either width; and nothing runs over."""
    staff = Staff(visitor(chromium, demonstration.url), demonstration)
    staff.enter()
    page, person = staff.page, staff.person
    for name, address in PAGES.items():
        assert person.open(address) == 200, address
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            for size in (WIDE, NARROW):
                page.set_viewport_size(size)
                assert page.evaluate(_TOO_WIDE) <= 0, (name, size)
                person.keep_picture(f"50-{name}-{theme}-{size['width']}")
        assert person.complaints == [], name
    page.set_viewport_size(WIDE)
    every_panel_is_drawn(page, person)
    the_dashboard_asks_for_itself(page, person)
    advice_comes_at_the_press_of_a_button(page, person)
    assert demonstration.policy_reports() == []


def every_panel_is_drawn(page, person) -> None:
    person.open(PAGES["dashboard-400d"])
    assert page.locator(".panel").count() == page.locator(".panel > svg").count() == 12
    # The style sheet reaches the lines: without it a path is filled black.
    assert page.locator(".line-1").first.evaluate("line => getComputedStyle(line).fill") == "none"
    assert page.get_by_role("img", name="Duration of requests").count() == 1


def the_dashboard_asks_for_itself(page, person) -> None:
    page.clock.install()
    person.open(PAGES["dashboard"])
    before = page.locator("#live").element_handle()
    with page.expect_response(lambda answer: "auto=1" in answer.url) as told:
        page.clock.run_for(31_000)
    assert told.value.status == 200
    page.wait_for_function("live => !live.isConnected", arg=before)
    assert page.locator(".panel").count() == 12
    page.locator("#refresh").uncheck()
    asked = len(person.asked)
    page.clock.run_for(65_000)
    assert len(person.asked) == asked
    assert person.complaints == []


def advice_comes_at_the_press_of_a_button(page, person) -> None:
    person.open(PAGES["advice"])
    person.press(page.get_by_role("button", name="Ask for advice now"))
    assert "Indexes to make" in page.inner_text("#content")
    person.keep_picture("51-advice-made")
    assert person.complaints == []
