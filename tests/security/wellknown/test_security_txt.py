"""security.txt, the policy it names, and the way to the page where a password is changed."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.core import checks
from django.test import override_settings

from security.wellknown import security_txt
from security.wellknown.security_txt import LEAST_DAYS, RELEASED_ON, check_expiry, expires_at
from tests.base import ApiTestCase

pytestmark = pytest.mark.embedded

PATH = "/.well-known/security.txt"


@override_settings(PUBLIC_URL="https://api.example.in", WEB_URL="https://app.example.in")
class SecurityTxt(ApiTestCase):
    """RFC 9116: whom to write to, until when, in which language, where it stands and what is promised."""

    def fields(self):
        return dict(line.split(": ", 1) for line in self.get(PATH).content.decode().splitlines())

    def test_it_is_plain_text_for_everybody(self):
        for accept in ("*/*", "text/html", "image/png"):
            response = self.get(PATH, headers={"Accept": accept})
            self.assertEqual(response.status_code, 200)
            self.assertEqual(response.headers["Content-Type"], "text/plain; charset=utf-8")

    def test_its_fields(self):
        fields = self.fields()
        self.assertEqual(fields.pop("Expires"), expires_at().strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.assertEqual(
            fields,
            {
                "Contact": "mailto:security@koshflow.com",
                "Preferred-Languages": "en, hi",
                "Canonical": "https://api.example.in/.well-known/security.txt",
                "Policy": "https://api.example.in/security-policy",
            },
        )

    def test_it_expires_less_than_a_year_after_the_release(self):
        released = datetime(RELEASED_ON.year, RELEASED_ON.month, RELEASED_ON.day, tzinfo=UTC)
        self.assertLess(expires_at() - released, timedelta(days=365))
        self.assertGreater(expires_at() - released, timedelta(days=300))

    def test_the_policy_that_it_names_is_served(self):
        response = self.get(self.fields()["Policy"].removeprefix("https://api.example.in"))
        self.assertEqual(response.status_code, 200)
        self.assertIn("security@koshflow.com", response.content.decode())

    def test_change_password_leads_to_the_web_application(self):
        response = self.get("/.well-known/change-password")
        self.assertEqual(response.status_code, 302)
        self.assertEqual(response.headers["Location"], "https://app.example.in/change-password")
        self.assertEqual(response.headers["Cache-Control"], "no-store")


class Expiry(ApiTestCase):
    """The deployment check speaks while there are thirty days left to update."""

    def found(self, *, days_left: float) -> list[str]:
        with patch.object(security_txt.timezone, "now", return_value=expires_at() - timedelta(days=days_left)):
            return [message.id for message in check_expiry(None)]

    def test_it_is_silent_until_then(self):
        self.assertEqual(self.found(days_left=LEAST_DAYS), [])

    def test_it_speaks_from_then_on(self):
        for days in (LEAST_DAYS - 0.01, 0, -400):
            self.assertEqual(self.found(days_left=days), ["koshflow.W002"])

    def test_it_is_among_the_checks(self):
        self.assertIn(check_expiry, checks.registry.registry.get_checks())
