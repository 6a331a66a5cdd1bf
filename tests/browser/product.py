"""The product as `make run` starts it, on a folder and a port of its own, and a browser that tells what it refused."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
# Runs before any page does: each thing that its policy refuses is kept in `window.violations`.
WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push(`${event.violatedDirective} refuses ${event.blockedURI}`));
"""
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass
class Product:
    """A running server: where it is, and the first administrator it printed."""

    url: str
    email: str
    password: str

    def register(self, **fields: str) -> dict:
        """The answer to a company's registration over the API."""
        body = {
            "companyName": "Lotus Traders",
            "companyEmail": "office@lotus.example.in",
            "adminName": "Asha Rao",
            "adminEmail": "asha@lotus.example.in",
            "password": "Monsoon-Ledger-47",
            "phone": "+919876543210",
        } | fields
        request = urllib.request.Request(
            f"{self.url}/api/auth/register",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextlib.contextmanager
def running_product(folder: Path) -> Iterator[Product]:
    """The product on a fresh `folder`, ended with everything it started."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    own = {"KOSHFLOW_ENV": "local", "KOSHFLOW_DATA_DIR": str(folder / "data"), "PORT": str(port), "PUBLIC_URL": url}
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "koshflow.launch"],
            cwd=ROOT,
            env=kept | own | {"BCRYPT_ROUNDS": "10"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(url, server, log)
            text = log.read_text()
            email = re.search(r"First administrator: (\S+)", text)[1]
            password = re.search(r"Password, shown this once: (\S+)", text)[1]
            yield Product(url, email, password)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _wait(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/health/live", timeout=2):
                return
        except OSError:
            time.sleep(0.2)  # the server is another process: there is nothing to wait upon
    raise AssertionError(f"the product did not start:\n{log.read_text()}")


@dataclass
class Visitor:
    """A person at a browser. `complaints` is what the browser refused or could not do."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def press(self, thing: Locator) -> None:
        """Click and be on the page that follows."""
        with self.page.expect_navigation():
            thing.click()

    def keep_picture(self, name: str) -> None:
        """A screenshot into the folder of the variable SCREENSHOTS, for people; none without it."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium, which fetches nothing of its own."""
    # Only `make e2e` installs it; the other runs collect this file too.
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise AssertionError("the browser tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def visitor(chromium: Browser, url: str, *, size: str = "desktop") -> Visitor:
    """Somebody new, without cookies."""
    page = chromium.new_context(viewport=SIZES[size]).new_page()
    person = Visitor(page, url)
    page.on("console", lambda line: person.complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: person.complaints.append(str(error)))
    return person
