"""Which requests the CORS rules are asked about. What they then allow is held by the contract tests."""

from unittest.mock import patch

from corsheaders.middleware import CorsMiddleware
from django.core import checks

from tests.base import ApiTestCase

LISTED = "https://app.example.in"


class WithoutAnOrigin(ApiTestCase):
    """A request that names no origin is of no browser's script: nothing is allowed, nothing is asked."""

    def test_the_rules_are_asked_only_where_an_origin_is_named(self):
        with patch.object(CorsMiddleware, "add_response_headers", autospec=True) as asked:
            self.get("/api/nothing")
            self.assertEqual(asked.call_count, 0)
            self.get("/api/nothing", headers={"Origin": LISTED})
            self.assertEqual(asked.call_count, 1)

    def test_every_answer_varies_by_origin(self):
        for headers in ({}, {"Origin": LISTED}, {"Origin": "https://evil.example"}):
            for path in ("/api/auth/me", "/api/nothing", "/health/live"):
                with self.subTest(headers=headers, path=path):
                    varies = self.get(path, headers=headers).headers["Vary"].lower()
                    self.assertEqual([word.strip() for word in varies.split(",")].count("origin"), 1)

    def test_no_answer_allows_an_origin_that_nobody_named(self):
        for method in ("get", "options"):
            response = getattr(self.client, method)("/api/auth/me", headers={"Access-Control-Request-Method": "GET"})
            allowed = [name for name in response.headers if name.lower().startswith("access-control-")]
            self.assertEqual(allowed, [])

    def test_the_librarys_own_checks_pass(self):
        found = [one.id for one in checks.run_checks() if (one.id or "").startswith("corsheaders.")]
        self.assertEqual(found, [])
