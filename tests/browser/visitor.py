"""A person at the system's Chromium, which tells what it refused, could not do, or was asked of another server."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType, ConsoleMessage, Locator, Page, Request

SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
REPORT_PATH = "/csp-report"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Runs before any page does. The binding is out of the page's reach and outlives it.
_WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", event =>
  window.tellViolation(`${event.violatedDirective} refuses ${event.blockedURI || "inline"}`));
"""
# A script as an attacker would get it into a page: without the page's nonce.
_PLANT = """
const script = document.createElement("script");
script.textContent = "window.planted = true";
document.body.append(script);
"""


@dataclass
class Visitor:
    """A person at a browser. `complaints` is what the browser refused, could not do, or asked of another server.

    `asked` are the addresses of all requests, in order and with those that only led on.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, path: str) -> int:
        """Go there; the status of the answer."""
        answer = self.page.goto(self.url + path)
        assert answer is not None, path
        return answer.status

    def press(self, thing: Locator) -> None:
        """Click and be on the page that follows."""
        with self.page.expect_navigation():
            thing.click()

    def plants_a_script(self) -> bool:
        """Whether a script that the page's policy does not allow ran on this page."""
        self.page.evaluate(f"() => {{ {_PLANT} }}")
        return bool(self.page.evaluate("window.planted === true"))

    def keep_picture(self, name: str, *, of: Locator | None = None) -> None:
        """A screenshot into the folder of the variable SCREENSHOTS, for people; none without it.

        Of the whole page, or of what the window shows from `of` on where the page is too long to look at.
        """
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            if of is not None:
                of.evaluate("part => part.scrollIntoView()")
            self.page.screenshot(path=f"{folder}/{name}.png", full_page=of is None)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium, which fetches nothing of its own."""
    # Only `make e2e` installs it; the other runs collect this file too.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, _launched(playwright.chromium) as chromium:
        yield chromium


def another(chromium: Browser, *flags: str) -> contextlib.AbstractContextManager[Browser]:
    """A second one beside `chromium`, with `flags` on its command line."""
    return _launched(chromium.browser_type, *flags)


@contextlib.contextmanager
def _launched(kind: BrowserType, *flags: str) -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise AssertionError("the browser tests need Chromium: apt-get install chromium")
    chromium = kind.launch(executable_path=path, args=[*_FLAGS, *flags])
    try:
        yield chromium
    finally:
        chromium.close()


def visitor(chromium: Browser, url: str, *, size: str = "desktop") -> Visitor:
    """Somebody new, without cookies."""
    context = chromium.new_context(viewport=SIZES[size])
    page = context.new_page()
    person = Visitor(page, url)
    context.expose_binding(
        "tellViolation", lambda source, told: person.complaints.append(f"{source['page'].url}: {told}")
    )
    context.add_init_script(_WATCH_POLICY)
    context.on("request", lambda request: _note_request(person, request))
    page.on("console", lambda line: _note_line(person, line))
    page.on("pageerror", lambda error: person.complaints.append(str(error)))
    page.on("requestfailed", lambda request: _note_failure(person, request))

    def closes_dialog(dialog: Any) -> None:
        person.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", closes_dialog)
    return person


def _note_line(person: Visitor, line: ConsoleMessage) -> None:
    if line.type in ("error", "warning"):
        person.complaints.append(f"{line.text} at {line.location['url']}")


def _note_request(person: Visitor, request: Request) -> None:
    person.asked.append(request.url)
    parts = urlsplit(request.url)
    if parts.scheme not in ("data", "blob") and not request.url.startswith(f"{person.url}/"):
        person.complaints.append(f"asked another server: {request.url}")
    if parts.path == REPORT_PATH:
        person.complaints.append("sent a report about the policy")


def _note_failure(person: Visitor, request: Request) -> None:
    # Who goes on before the icon of a page came ends that request by themselves.
    if request.failure != "net::ERR_ABORTED":
        person.complaints.append(f"{request.url}: {request.failure}")
