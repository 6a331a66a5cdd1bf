"""What of a request is read, and what never is."""

import json
from unittest import TestCase

import pytest

from security.screening.texts import MAX_BODY_BYTES, MAX_TOKENS, is_secret, texts_of_json, texts_of_query

pytestmark = pytest.mark.embedded  # no store is asked


def of_json(body):
    return [text for _, text in texts_of_json(body if isinstance(body, bytes) else json.dumps(body).encode())]


def of_query(query):
    return [text for _, text in texts_of_query(query)]


class Secrets(TestCase):
    """A value under the name of a secret is not read, at any depth and however the name is spelt."""

    def test_the_names_that_clients_use(self):
        passwords = ("password", "passwords", "currentPassword", "newPassword", "confirmPassword", "clientSecret")
        tokens = (
            "token",
            "refreshToken",
            "challengeToken",
            "X-API-Key",
            "api_key",
            "Authorization",
            "csrfmiddlewaretoken",
        )
        for name in (*passwords, *tokens, "twoFactorCode", "recoveryCode", "code", "otp", "pin"):
            self.assertTrue(is_secret(name), name)

    def test_names_of_people_and_companies_are_none(self):
        for name in ("adminName", "companyName", "email", "phone", "gstin", "pan", "role", "note", "city", "keyboard"):
            self.assertFalse(is_secret(name), name)

    def test_in_a_body(self):
        self.assertEqual(of_json({"password": "' or 1=1--", "a": "b"}), ["password", "a", "b"])

    def test_inside_a_list_or_an_object(self):
        body = {"passwords": ["s1", ["s2"], {"x": "s3"}], "a": "b", "token": {"x": {"y": "s4"}, "z": "s5"}, "c": "d"}
        self.assertEqual(of_json(body), ["passwords", "x", "a", "b", "token", "x", "y", "z", "c", "d"])

    def test_whose_name_is_spelt_by_escapes(self):
        self.assertEqual(of_json(rb'{"p\u0061ssword": "s", "a": "b"}'), ["password", "a", "b"])

    def test_in_a_query(self):
        self.assertEqual(of_query("token=%27--&q=x+y&code&password=a=b"), ["token", "q", "x y", "code", "password"])

    def test_names_inside_a_secret_are_read(self):
        self.assertEqual(of_json({"password": {"$ne": "s"}}), ["password", "$ne"])


class Bodies(TestCase):
    """Names and texts of JSON, in order and unescaped, without parsing it."""

    def test_names_and_texts(self):
        body = {"a": "b", "c": ["d", 1, None, {"e": "f"}], "g": {}}
        self.assertEqual(of_json(body), ["a", "b", "c", "d", "e", "f", "g"])

    def test_escapes_are_undone(self):
        self.assertEqual(of_json({"a": 'q"\\\n</x>\u0905'}), ["a", 'q"\\\n</x>\u0905'])

    def test_blanks_before_the_colon(self):
        self.assertEqual(of_json(b'{"password" \n : "s", "a"\t:"b"}'), ["password", "a", "b"])

    def test_a_broken_document_is_read_as_far_as_it_goes(self):
        self.assertEqual(of_json(b'{"a": "b", ]]] "c'), ["a", "b", "c"])
        self.assertEqual(of_json(b'"\\'), [""])
        self.assertEqual(of_json(b'{"a": "\\q"}'), ["a", "\\q"])

    def test_bytes_that_are_no_utf_8(self):
        self.assertEqual(of_json(b'{"a": "\xc0\xae"}'), ["a", "\ufffd\ufffd"])

    def test_no_more_than_the_bounds(self):
        self.assertLessEqual(len(of_json(b'"",' * 30_000)), MAX_TOKENS)
        self.assertLessEqual(len(of_json(b'"' + b"a" * 2 * MAX_BODY_BYTES)[0]), MAX_BODY_BYTES)
