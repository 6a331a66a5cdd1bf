"""Plain HTTP in production. That the server believes only our proxies about it is the server's own setting."""

import subprocess
import sys
import tempfile
from unittest import TestCase

import pytest
from django.test import override_settings

from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha
from tests.production_check import ROOT, production_environment

pytestmark = pytest.mark.embedded

LOGIN = "/api/auth/login"
ORIGIN = "https://app.example.in"


@override_settings(SECURE_SSL_REDIRECT=True)
class PlainHttpInProduction(ApiTestCase):
    """The API refuses, pages lead to HTTPS, and probes answer (ASVS 4.1.2)."""

    def test_the_api_refuses_and_does_not_redirect(self):
        body = {"email": asha().email, "password": PASSWORD}
        response = self.post(LOGIN, body, headers={"Origin": ORIGIN})
        self.assertProblem(response, 403, "HTTPS_REQUIRED")
        self.assertNotIn("Location", response.headers)
        with self.subTest("a browser can read why"):
            self.assertEqual(response.headers["Access-Control-Allow-Origin"], ORIGIN)
        for path in ("/api/auth/me", "/.well-known/jwks.json", "/api/nothing"):
            with self.subTest(path):
                self.assertProblem(self.get(path), 403, "HTTPS_REQUIRED")

    def test_what_a_client_says_of_itself_does_not_count(self):
        response = self.get("/api/auth/me", headers={"X-Forwarded-Proto": "https", "Forwarded": "proto=https"})
        self.assertProblem(response, 403, "HTTPS_REQUIRED")

    def test_over_https_everything_passes(self):
        body = {"email": asha().email, "password": PASSWORD}
        self.assertEqual(self.post(LOGIN, body, secure=True).status_code, 200)
        self.assertEqual(self.get("/", secure=True).status_code, 200)

    def test_a_page_leads_to_itself_over_https(self):
        for method in ("get", "head"):
            response = getattr(self.client, method)("/admin/login/?next=/admin/")
            self.assertEqual(response.status_code, 301)
            self.assertEqual(response.headers["Location"], "https://testserver/admin/login/?next=/admin/")

    def test_a_form_is_refused(self):
        self.assertProblem(self.client.post("/admin/login/", {"username": "asha"}), 403, "HTTPS_REQUIRED")

    def test_a_forged_name_is_refused_before_it_could_lead_anywhere(self):
        self.assertProblem(self.client.get("/", headers={"Host": "evil.example"}), 400, "MALFORMED_REQUEST")

    def test_probes_and_scrapers_may_ask_in_plain(self):
        for path in ("/health", "/health/live", "/health/ready"):
            with self.subTest(path):
                self.assertIn(self.get(path).status_code, (200, 503))
        self.assertProblem(self.get("/metrics"), 401, "NO_TOKEN")


class WhereItIsOn(TestCase):
    """Production by default; a laptop has no certificate."""

    def is_on(self, **environment: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            shown = subprocess.run(
                [sys.executable, "-c", "from koshflow import settings; print(settings.SECURE_SSL_REDIRECT)"],
                cwd=ROOT,
                env=production_environment(folder) | environment,
                capture_output=True,
                text=True,
                check=True,
            )
        return shown.stdout.strip()

    def test_in_production_and_not_on_a_laptop(self):
        self.assertEqual(self.is_on(), "True")
        self.assertEqual(self.is_on(KOSHFLOW_ENV="local"), "False")
