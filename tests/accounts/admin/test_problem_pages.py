"""A refusal outside the API: a person at a browser reads a page, a program the same document as everywhere."""

import re
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client

from tests.accounts.admin.door import INDEX, LOGIN, LOGOUT, AdminTestCase
from tests.factories import asha

pytestmark = pytest.mark.embedded

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
NOWHERE = "/admin/accounts/nothing/"
LIST = "/admin/accounts/user/"


class BrowserCase(AdminTestCase):
    """What a browser asks for, and what it must be given."""

    def browse(self, method: str, path: str, **extra):
        headers = {"Accept": CHROMIUM} | extra.pop("headers", {})
        return self.client.generic(method, path, headers=headers, **extra)

    def assertPage(self, response, status: int, code: str, *, way_back: str = INDEX) -> str:
        """`response` is the page of this refusal, in our words and under the strict policy; its text."""
        self.assertEqual(response.status_code, status, response.content[:300])
        self.assertEqual(response.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertEqual(response.headers["Content-Length"], str(len(response.content)))
        page = response.content.decode()
        for words in (f"Status {status}, code {code}.", response.headers["X-Request-ID"], f'href="{way_back}"', "<h1>"):
            self.assertIn(words, page)
        policy = response.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotRegex(policy, "unsafe|nonce|sandbox")
        self.assertEqual(re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page), [])
        self.assertEqual(response.headers["Cache-Control"].count("no-store"), 1)
        self.assertIn("accept", response.headers["Vary"].lower())
        return page


class Pages(BrowserCase):
    """Each refusal of the admin has its page, with the status and headers of the document."""

    def test_what_is_not_there(self):
        self.enter()
        self.assertIn(
            "There is nothing at this address.", self.assertPage(self.browse("GET", NOWHERE), 404, "NOT_FOUND")
        )

    def test_what_a_role_does_not_allow(self):
        omar = self.enter()
        omar.user.groups.clear()
        self.assertPage(self.browse("GET", LIST), 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", actor=omar.user)

    def test_a_form_without_its_token(self):
        self.client = Client(enforce_csrf_checks=True)
        response = self.browse("POST", LOGIN, data=b"email=a", content_type="application/x-www-form-urlencoded")
        self.assertIn("Reload the page and try again.", self.assertPage(response, 403, "CSRF_FAILED"))

    def test_a_filter_that_nobody_offers(self):
        self.enter()
        self.assertPage(self.browse("GET", f"{LIST}?password__regex=x"), 400, "MALFORMED_REQUEST")

    def test_a_host_that_is_not_ours(self):
        self.assertPage(self.browse("GET", INDEX, headers={"Host": "evil.example"}), 400, "MALFORMED_REQUEST")

    def test_a_query_or_a_body_that_is_too_long(self):
        self.assertPage(self.browse("GET", f"{INDEX}?q={'x' * 9000}"), 414, "URI_TOO_LONG")
        self.assertPage(self.browse("POST", LOGIN, data=b"x" * 1_000_001), 413, "PAYLOAD_TOO_LARGE")

    def test_a_method_that_the_page_does_not_have(self):
        self.enter()
        response = self.browse("GET", LOGOUT)
        self.assertPage(response, 405, "METHOD_NOT_ALLOWED")
        self.assertEqual(response.headers["Allow"], "POST")

    def test_a_bug_says_nothing_of_itself(self):
        self.enter()
        with patch("accounts.admin.people.UserAdmin.get_queryset", side_effect=RuntimeError("secret detail")):
            page = self.assertPage(self.browse("GET", LIST), 500, "INTERNAL_ERROR")
        self.assertNotIn("secret detail", page)

    def test_a_bug_in_a_middleware_has_one_too(self):
        with patch("security.middleware.bodies.check_query", side_effect=RuntimeError("secret detail")):
            self.assertPage(self.browse("GET", f"{INDEX}?x=1"), 500, "INTERNAL_ERROR")

    def test_a_database_that_is_away_is_not_needed_to_say_so(self):
        self.enter()
        with patch("django.db.backends.utils.CursorWrapper.execute", side_effect=OperationalError("db.internal")):
            response = self.browse("GET", LIST)
        self.assertNotIn("db.internal", self.assertPage(response, 503, "SERVICE_UNAVAILABLE"))
        self.assertEqual(response.headers["Retry-After"], "1")

    def test_it_knows_nobody(self):
        omar = self.enter()
        page = self.browse("GET", NOWHERE).content.decode()
        self.assertNotIn(omar.user.name, page)
        self.assertNotIn("csrfmiddlewaretoken", page)

    def test_the_address_that_was_asked_for_is_not_repeated(self):
        self.enter()
        self.assertNotIn("alert", self.browse("GET", "/admin/%3Cscript%3Ealert(1)%3C/script%3E").content.decode())

    def test_head_has_the_headers_and_no_body(self):
        self.enter()
        whole, head = self.browse("GET", NOWHERE), self.browse("HEAD", NOWHERE)
        self.assertEqual((head.status_code, head.content), (404, b""))
        for name in ("Content-Type", "Content-Length", "Content-Security-Policy"):
            self.assertEqual(head.headers[name], whole.headers[name])


class WhoReadsWhat(BrowserCase):
    """HTML goes to those who prefer it, on pages only."""

    def test_by_their_accept_header(self):
        self.enter()
        for accept, is_page in (
            (CHROMIUM, True),
            ("text/html", True),
            ("text/*", True),
            ("text/html;q=0.9, application/json;q=0.5", True),
            (None, False),
            ("", False),
            ("*/*", False),
            ("application/json", False),
            ("application/problem+json", False),
            ("application/json, text/html", False),
            ("application/json, text/html;q=0.9", False),
            ("text/html;q=0.5, */*", False),
            ("text/plain", False),
            ("text/html;q=x;;,,/", True),
            (",;=\"'", False),
        ):
            with self.subTest(accept):
                headers = {} if accept is None else {"Accept": accept}
                response = self.client.get(NOWHERE, headers=headers)
                if is_page:
                    self.assertPage(response, 404, "NOT_FOUND")
                else:
                    self.assertProblem(response, 404, "NOT_FOUND")
                    self.assertIn("accept", response.headers["Vary"].lower())

    def test_the_api_goes_on_in_json(self):
        for path in ("/api", "/api/", "/api/nothing", "/api/auth/nothing"):
            with self.subTest(path):
                self.assertProblem(self.browse("GET", path), 404, "NOT_FOUND")
        self.assertProblem(self.browse("GET", "/api/auth/me"), 401, "NO_TOKEN")

    def test_whoever_mistypes_an_address_is_led_to_the_start(self):
        for path in ("/nope", "/apis/", "/static/nothing.css", "/health/nothing", "/.well-known/nothing"):
            with self.subTest(path):
                self.assertPage(self.browse("GET", path), 404, "NOT_FOUND", way_back="/")
                self.assertProblem(self.client.get(path), 404, "NOT_FOUND")
        self.assertPage(self.browse("POST", "/errors"), 405, "METHOD_NOT_ALLOWED", way_back="/")

    def test_other_pages_lead_back_to_the_start(self):
        for path in ("/metrics", "/health/detailed"):
            with self.subTest(path):
                self.assertPage(self.browse("DELETE", path), 405, "METHOD_NOT_ALLOWED", way_back="/")

    def test_what_is_no_refusal_stays_as_it_is(self):
        self.enter()
        self.assertNotIn("Vary: accept", str(self.browse("GET", INDEX).headers).lower())
        self.assertEqual(self.browse("GET", self.page_of(asha())).status_code, 200)
