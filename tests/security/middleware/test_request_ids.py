"""Which ids of the client's are taken over without a closer look. What is kept at all, the contract tests hold."""

import pytest
from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from security.middleware.request_context import _GENERATED_ID, _may_be_kept
from tests.base import ApiTestCase
from tests.monitoring.logs.examples import PERSONAL, SECRETS

pytestmark = pytest.mark.embedded


class Generated(SimpleTestCase):
    """What looks generated holds none of the shapes that are scrubbed."""

    @given(st.from_regex(_GENERATED_ID, fullmatch=True))
    def test_the_closer_look_would_have_kept_it_too(self, request_id):
        self.assertTrue(_may_be_kept(request_id), request_id)

    def test_nothing_personal_or_secret_looks_so(self):
        for text in (*PERSONAL, *SECRETS):
            self.assertIsNone(_GENERATED_ID.fullmatch(text), text)


class Kept(ApiTestCase):
    """An id is answered as it came, or another is made."""

    def test_ids_as_proxies_make_them(self):
        for request_id in ("0b7a3a1c5d2e4f60", "0" * 32, "018f0000-0000-7000-8000-000000000000", "Root=1-67891233"):
            answered = self.get("/api/nothing", headers={"X-Request-ID": request_id}).headers["X-Request-ID"]
            self.assertEqual(answered == request_id, "=" not in request_id)

    def test_one_that_looks_like_a_phone_or_a_tax_number_is_not(self):
        for request_id in ("9876543210", "a-9876543210", "ABCPE1234F", "29ABCPE1234F1Z5", "203.0.113.7"):
            answered = self.get("/api/nothing", headers={"X-Request-ID": request_id}).headers["X-Request-ID"]
            self.assertNotEqual(answered, request_id)
