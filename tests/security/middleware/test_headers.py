"""The length of an answer (RFC 9110 §8.6, ASVS V4.2.2). The fixed headers are held by the contract tests."""

import json

import pytest
from django.http import HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.test import RequestFactory, SimpleTestCase

from security.middleware.headers import SecurityHeadersMiddleware
from tests.base import ApiTestCase
from tests.factories import asha

pytestmark = pytest.mark.embedded


def answered(response, *, method="GET"):
    return SecurityHeadersMiddleware(lambda request: response)(RequestFactory().generic(method, "/"))


class StatedLength(SimpleTestCase):
    """Each answer whose body is known says how long it is; no other does."""

    def test_it_counts_bytes(self):
        self.assertEqual(answered(HttpResponse("रुपया")).headers["Content-Length"], "15")

    def test_an_empty_body_has_length_nought(self):
        self.assertEqual(answered(HttpResponse()).headers["Content-Length"], "0")

    def test_a_wrong_length_from_within_is_put_right(self):
        response = HttpResponse(b"four", headers={"Content-Length": "400"})
        self.assertEqual(answered(response).headers["Content-Length"], "4")

    def test_head_has_the_length_of_get_and_no_body(self):
        response = answered(HttpResponse(b"four"), method="HEAD")
        self.assertEqual((response.headers["Content-Length"], response.content), ("4", b""))

    def test_no_content_and_not_modified_have_none(self):
        for response in (HttpResponse(status=204, headers={"Content-Length": "0"}), HttpResponseNotModified()):
            self.assertNotIn("Content-Length", answered(response).headers)

    def test_a_stream_keeps_what_it_says_itself(self):
        self.assertNotIn("Content-Length", answered(StreamingHttpResponse([b"a"])).headers)
        sized = StreamingHttpResponse([b"ab"], headers={"Content-Length": "2"})
        self.assertEqual(answered(sized).headers["Content-Length"], "2")


class StatedLengthOfTheApi(ApiTestCase):
    """Answers and refusals of the API state theirs."""

    def test_success_and_refusal(self):
        token = self.log_in(asha())["accessToken"]
        for response in (self.me(token), self.get("/api/auth/me"), self.get("/api/nothing")):
            self.assertTrue(json.loads(response.content))
            self.assertEqual(response.headers["Content-Length"], str(len(response.content)))
