"""Forged requests: another site's page makes a browser send something with the cookies of a person it knows."""

import json
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client, modify_settings

from accounts.identity.models import Company
from accounts.sessions.models import Session
from monitoring.logs import JsonFormatter
from security.audit import AuditEvent, windows
from tests.accounts.admin.door import INDEX, LOGIN, LOGOUT, AdminTestCase
from tests.factories import asha

pytestmark = pytest.mark.embedded

MIDDLEWARE = "security.middleware.fetch_metadata.FetchMetadataMiddleware"
FORM = "application/x-www-form-urlencoded"


@modify_settings(MIDDLEWARE={"append": MIDDLEWARE})
class ForgedForms(AdminTestCase):
    """A form of the admin counts only when a page of ours sent it, and with the token of its page."""

    def send(self, site: str | None, *, method: str = "POST", path: str = LOGOUT, **more):
        headers = {} if site is None else {"Sec-Fetch-Site": site}
        return self.client.generic(method, path, headers={**headers, **more}, content_type=FORM)

    def test_from_another_site_it_is_refused_before_the_view(self):
        self.enter()
        for site in ("cross-site", "same-site", "nonsense", ""):
            with self.subTest(site):
                self.assertProblem(self.send(site), 403, "CSRF_FAILED")
        self.assertFalse(Session.objects.filter(revoked_at__isnull=False).exists())
        self.assertInside()

    def test_even_with_the_token_of_a_page(self):
        self.client = Client(enforce_csrf_checks=True)
        token = self.client.get(LOGIN).cookies["csrftoken"].value
        self.assertProblem(self.send("cross-site", path=LOGIN, **{"X-CSRFToken": token}), 403, "CSRF_FAILED")
        self.assertEqual(self.send("same-origin", path=LOGIN, **{"X-CSRFToken": token}).status_code, 200)

    def test_from_a_page_of_ours_it_passes(self):
        for number, site in enumerate(("same-origin", "none", None)):
            self.enter(email=f"omar{number}@staff.example.in")
            with self.subTest(site):
                self.assertEqual(self.send(site).status_code, 302)

    def test_a_link_from_elsewhere_may_lead_here(self):
        self.enter()
        for method in ("GET", "HEAD"):
            self.assertEqual(self.send("cross-site", method=method, path=INDEX).status_code, 200)

    def test_without_its_token_it_is_refused_from_a_page_of_ours_too(self):
        self.enter()
        self.client.handler.enforce_csrf_checks = True
        self.assertProblem(self.send("same-origin"), 403, "CSRF_FAILED")
        self.assertProblem(self.send(None), 403, "CSRF_FAILED")
        self.assertInside()

    def test_the_log_says_why_and_quotes_neither_path_nor_sender(self):
        self.client = Client(enforce_csrf_checks=True)
        senders = {"Origin": "https://chitra.example.in", "Referer": "https://chitra.example.in/?to=asha"}
        with self.assertLogs(level="INFO") as logged:
            for header, sender in senders.items():
                refused = self.client.post(f"{LOGIN}?for=asha", secure=True, headers={header: sender})
                self.assertProblem(refused, 403, "CSRF_FAILED")
        lines = [json.loads(JsonFormatter().format(record)) for record in logged.records]
        told = [line["reason"] for line in lines if line["event"] == "form_refused"]
        self.assertEqual(told, ["Origin checking failed", "Referer checking failed"])
        self.assertNotRegex(json.dumps(lines), "chitra|asha|Forbidden")

    def test_a_person_at_a_browser_reads_a_page(self):
        response = self.send("cross-site", Accept="text/html")
        self.assertEqual(response.status_code, 403)
        self.assertIn("Reload the page and try again.", response.content.decode())


@modify_settings(MIDDLEWARE={"append": MIDDLEWARE})
class MarkOfAForgery(AdminTestCase):
    """An event tells of the first in a minute, and how many came since the one before."""

    def events(self):
        events = AuditEvent.objects.filter(type="request.forgery_refused")
        return [(event.outcome, event.parsed_leaf().data) for event in events]

    def send(self, **headers: str):
        return self.client.post("/api/auth/logout", headers={"Origin": "https://evil.example", **headers})

    def test_one_event_a_client_and_minute(self):
        for _ in range(3):
            self.assertProblem(self.send(**{"Sec-Fetch-Site": "cross-site"}), 403, "CSRF_FAILED")
        self.assertEqual(self.events(), [("refused", {"told_by": "fetch_metadata", "repeats": 0})])

    def test_a_form_without_its_token_leaves_one(self):
        self.enter()
        self.client.handler.enforce_csrf_checks = True
        self.client.post(LOGOUT)
        [(outcome, data)] = self.events()
        self.assertEqual((outcome, data["told_by"]), ("refused", "form_token"))

    def test_one_that_cannot_be_marked_is_503_until_it_can(self):
        self.enter()
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        forged = {
            "fetch_metadata": lambda: self.send(**{"Sec-Fetch-Site": "cross-site"}),
            "form_token": lambda: self.client.post(LOGOUT),
        }
        for told_by, send in forged.items():
            with self.subTest(told_by):
                windows.forget()
                with mock.patch("security.audit.services.record", side_effect=OperationalError("away")):
                    for _ in range(2):  # the second must not pass for a repeat of one that was told of
                        refused = send()
                        self.assertProblem(refused, 503, "SERVICE_UNAVAILABLE")
                        self.assertEqual(refused["Retry-After"], "1")
                self.assertProblem(send(), 403, "CSRF_FAILED")
                self.assertEqual(self.events()[-1][1], {"told_by": told_by, "repeats": 2})


@modify_settings(MIDDLEWARE={"append": MIDDLEWARE})
class CookiesAtTheApi(AdminTestCase):
    """The API reads no cookie: whoever has nothing else is nobody there."""

    PATHS = ("/api/auth/me", "/api/auth/sessions", "/api/company", "/api/auth/2fa")

    def test_a_cookie_of_the_admin_opens_nothing(self):
        self.enter()
        self.assertInside()
        for path in self.PATHS:
            self.assertProblem(self.client.get(path), 401, "NO_TOKEN")

    def test_a_cookie_of_any_person_opens_nothing(self):
        self.client.force_login(asha())
        for path in self.PATHS:
            self.assertProblem(self.client.get(path), 401, "NO_TOKEN")

    def test_a_forged_request_with_cookies_does_nothing(self):
        person = asha()
        name = person.company.name
        self.client.force_login(person)
        forged = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        for method, path in (("patch", "/api/company"), ("patch", "/api/auth/me"), ("post", "/api/auth/logout"),
                             ("post", "/api/auth/change-password"), ("delete", "/api/auth/sessions")):  # fmt: skip
            response = getattr(self.client, method)(path, {}, content_type="application/json", headers=forged)
            self.assertProblem(response, 403, "CSRF_FAILED")
        self.assertEqual(Company.objects.get().name, name)

    def test_what_a_form_can_send_without_a_preflight_is_no_body_of_ours(self):
        for content_type in (FORM, "multipart/form-data; boundary=x", "text/plain"):
            response = self.client.generic("POST", "/api/auth/login", b"email=a", content_type=content_type)
            self.assertProblem(response, 415, "UNSUPPORTED_MEDIA_TYPE")

    def test_a_listed_origin_calls_from_its_own_site(self):
        person = asha()
        headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.in"}
        self.assertIn("accessToken", self.log_in(person, headers=headers))
