"""Which requests the CORS rules are asked about. What they then allow is held by the contract tests."""

from unittest.mock import patch

import pytest
from corsheaders.middleware import CorsMiddleware
from django.core import checks
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase, override_settings

from security.middleware.cors import OriginMiddleware
from tests.base import ApiTestCase

pytestmark = pytest.mark.embedded

LISTED = "https://app.example.in"


class WithoutAnOrigin(ApiTestCase):
    """A request that names no origin is of no browser's script: nothing is allowed, nothing is asked."""

    def test_the_rules_are_asked_only_where_an_origin_is_named(self):
        with patch.object(CorsMiddleware, "add_response_headers", autospec=True) as asked:
            self.get("/api/nothing")
            self.assertEqual(asked.call_count, 0)
            self.get("/api/nothing", headers={"Origin": LISTED})
            self.assertEqual(asked.call_count, 1)

    def test_of_a_listed_origin_they_are_asked_once(self):
        answer = CorsMiddleware.add_response_headers
        with patch.object(CorsMiddleware, "add_response_headers", autospec=True, side_effect=answer) as asked:
            for _ in range(3):
                self.get("/api/nothing", headers={"Origin": LISTED})
                self.get("/api/nothing", headers={"Origin": "https://evil.example"})
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


@override_settings(CORS_ALLOWED_ORIGINS=[LISTED], CORS_ALLOW_CREDENTIALS=True)
class Remembered(SimpleTestCase):
    """What is remembered of a listed origin is the library's own answer, and counts for no other."""

    def granted_by(self, layer, origin):
        response = layer(RequestFactory().get("/api/nothing", headers={"Origin": origin}))
        return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}

    def test_first_and_later_answers_are_the_librarys(self):
        def answer(_request):
            return HttpResponse()

        theirs = self.granted_by(CorsMiddleware(answer), LISTED)
        self.assertEqual(theirs["access-control-allow-origin"], LISTED)
        self.assertEqual(theirs["access-control-allow-credentials"], "true")
        ours = OriginMiddleware(answer)
        for _ in range(2):
            self.assertEqual(self.granted_by(ours, LISTED), theirs)
            self.assertEqual(self.granted_by(ours, "https://evil.example"), {})

    def test_an_origin_that_was_taken_off_the_list_has_nothing_left(self):
        ours = OriginMiddleware(lambda _request: HttpResponse())
        self.assertTrue(self.granted_by(ours, LISTED))
        with override_settings(CORS_ALLOWED_ORIGINS=[]):
            self.assertEqual(self.granted_by(ours, LISTED), {})

    def test_what_the_answer_varies_by_stays(self):
        ours = OriginMiddleware(lambda _request: HttpResponse(headers={"Vary": "Cookie"}))
        for _ in range(2):
            response = ours(RequestFactory().get("/", headers={"Origin": LISTED}))
            self.assertEqual(response.headers["Vary"], "Cookie")
