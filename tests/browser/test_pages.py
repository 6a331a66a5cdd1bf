"""The public pages in a real browser: they work under the strict policy, and nothing leaves this server."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.browser.visitor import SIZES, Visitor, visitor

if TYPE_CHECKING:  # only `make e2e` installs it; the other runs collect this file too
    from playwright.sync_api import Locator, Page, Response

# Starting the product takes most of it.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@contextmanager
def somebody(chromium, product) -> Iterator[Visitor]:
    """Somebody new. Whatever they did, the browser had nothing to say about it and nothing to report."""
    reported = product.policy_reports()
    someone = visitor(chromium, product.url)
    yield someone
    assert someone.complaints == []
    assert product.policy_reports() == reported
    someone.page.context.close()


@pytest.fixture
def person(chromium, product) -> Iterator[Visitor]:
    with somebody(chromium, product) as someone:
        yield someone


@pytest.fixture(scope="class")
def reader(chromium, product) -> Iterator[Visitor]:
    """Somebody at `/api-docs`, whose page takes seconds to load. Each test leaves it as it was."""
    with somebody(chromium, product) as someone:
        open_docs(someone)
        yield someone


# The addresses of those that did not open. One by one: with all of them open the page is too long to be painted, and
# whoever waits for a frame of it waits in vain.
OPEN_AND_CLOSE = """async operations => {
  const shut = [];
  for (const operation of operations) {
    const button = operation.querySelector(".opblock-summary-control");
    button.click();
    for (let wait = 0; wait < 200 && !operation.querySelector(".execute"); wait++)
      await new Promise(then => setTimeout(then, 20));
    if (!operation.querySelector(".execute")) shut.push(button.innerText);
    button.click();
  }
  return shut;
}"""


class TestHome:
    """`/` says what this is, and its links lead on."""

    def test_it_is_shown_with_its_style(self, person):
        person.open("/")
        person.page.get_by_role("heading", name="KoshFlow").wait_for()
        # Chromium's own default is 8px: only our style sheet takes it away.
        assert person.page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
        person.keep_picture("20-home")

    def test_each_link_leads_to_a_page_that_works(self, person):
        person.open("/")
        links = person.page.locator("main a:not([href^=mailto])").evaluate_all("links => links.map(a => a.href)")
        assert len(links) >= 3
        for link in links:
            assert person.page.goto(link).status == 200, link
        # Chromium's remark on documents that our policy sandboxes, such as the JSON of /health.
        person.complaints = [text for text in person.complaints if "origin-keyed agent cluster" not in text]

    def test_it_fits_a_phone_and_the_dark(self, person):
        person.page.set_viewport_size(SIZES["phone"])
        person.page.emulate_media(color_scheme="dark")
        person.open("/")
        assert fits(person.page)
        person.keep_picture("21-home-phone-dark")


class TestErrors:
    """`/errors`, where the `type` of a refusal leads, is a page whose anchor is its code."""

    def test_the_type_of_a_refusal_leads_to_its_code(self, person):
        assert person.page.goto(f"{person.url}/errors#token_revoked").status == 200
        person.page.get_by_role("heading", name="Errors").wait_for()
        assert person.page.evaluate("document.querySelector(':target a').textContent") == "TOKEN_REVOKED"
        assert person.page.locator("#token_revoked").evaluate("code => code.getBoundingClientRect().top < innerHeight")
        assert person.page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
        person.keep_picture("26-errors")
        person.page.set_viewport_size(SIZES["phone"])
        assert fits(person.page)


class TestApiDocs:
    """`/api-docs` shows every operation, and a person can register, sign in and call the API from it."""

    def test_it_shows_every_operation(self, reader, product):
        with urllib.request.urlopen(f"{product.url}/api-docs/openapi.json", timeout=30) as answer:
            document = json.load(answer)
        wanted = {(path, method) for path, item in document["paths"].items() for method in item}
        shown = set()
        for block in reader.page.locator(".opblock").all():
            path = block.locator(".opblock-summary-path").get_attribute("data-path")
            shown.add((path, block.locator(".opblock-summary-method").inner_text().lower()))
        assert shown == wanted
        assert reader.page.locator(".opblock-tag").first.inner_text() == "sign-in"
        reader.keep_picture("22-api-docs")

    def test_a_person_registers_authorizes_and_is_told_who_they_are(self, person):
        page = person.page
        open_docs(person)

        registered = execute(page, "/api/auth/register", "post")
        assert registered.status == 201
        person.keep_picture("23-registered", of=operation(page, "/api/auth/register", "post"))

        authorize(page, registered.json()["accessToken"])
        person.keep_picture("24-authorized")

        told = execute(page, "/api/auth/me", "get")
        assert told.status == 200
        assert told.json()["user"]["email"] == "asha@lotus.example.in"
        person.keep_picture("25-me", of=operation(page, "/api/auth/me", "get"))

    def test_every_operation_can_be_opened(self, reader):
        operations = reader.page.locator(".opblock")
        assert operations.count() >= 20
        assert operations.evaluate_all(OPEN_AND_CLOSE) == []

    def test_the_ways_to_sign_in_can_be_chosen(self, reader):
        block = operation(reader.page, "/api/auth/login", "post")
        block.locator(".opblock-summary-control").click()
        choice = block.locator(".opblock-section-request-body .examples-select select")
        choice.wait_for()
        assert choice.locator("option").all_inner_texts()[-2:] == ["password and code", "answer to a challenge"]
        # A component of the document, as each refusal is: the page has followed the reference.
        assert "No valid sign-in." in block.locator(".responses-table").inner_text()
        reader.keep_picture("26-login-examples", of=block)
        block.locator(".opblock-summary-control").click()

    def test_it_fits_a_phone(self, reader):
        reader.page.set_viewport_size(SIZES["phone"])
        assert fits(reader.page)
        reader.keep_picture("27-api-docs-phone")
        reader.page.set_viewport_size(SIZES["desktop"])


def open_docs(person: Visitor) -> None:
    person.open("/api-docs")
    person.page.locator(".opblock").first.wait_for()


def operation(page: Page, path: str, method: str) -> Locator:
    return page.locator(f".opblock-{method}", has=page.locator(f'[data-path="{path}"]'))


def execute(page: Page, path: str, method: str) -> Response:
    """Open the operation and press its Execute; the answer that the browser got."""
    block = operation(page, path, method)
    block.locator(".opblock-summary-control").click()
    with page.expect_response(lambda response: response.url.endswith(path)) as caught:
        block.get_by_role("button", name="Execute").click()
    shown = block.locator(".live-responses-table .response-col_status", has_text=str(caught.value.status))
    shown.first.wait_for()
    return caught.value


def authorize(page: Page, token: str) -> None:
    page.locator(".auth-wrapper .authorize").first.click()
    window = page.locator(".modal-ux")
    window.locator("input").first.fill(token)
    window.get_by_role("button", name="Apply credentials").click()
    window.get_by_text("Authorized").first.wait_for()
    window.get_by_role("button", name="Close").click()


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
