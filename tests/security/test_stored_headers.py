"""Headers put into Django's own dictionary are those that assignments would have left."""

import pytest
from django.http import HttpResponse
from django.http.response import BadHeaderError
from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from security.stored_headers import put, said, stored

pytestmark = pytest.mark.embedded  # no store is asked

NAMES = st.sampled_from(("Vary", "vary", "X-Frame-Options", "Cache-Control", "CACHE-CONTROL", "RateLimit"))
HEADERS = st.dictionaries(NAMES, st.text(max_size=8).filter(lambda text: not {"\r", "\n"} & set(text)), max_size=6)


class Put(SimpleTestCase):
    """Fixed headers have the last word, defaults the first, whatever the case of their names."""

    @given(HEADERS, HEADERS, HEADERS)
    def test_it_leaves_what_assignments_leave(self, before, fixed, defaults):
        one, other = HttpResponse(headers=before), HttpResponse(headers=before)
        put(one, stored(fixed.items()), defaults=stored(defaults.items()))
        for name, value in reversed(defaults.items()):  # of a name that stands twice the last counts
            other.headers.setdefault(name, value)
        for name, value in fixed.items():
            other.headers[name] = value
        self.assertEqual(dict(one.headers.items()), dict(other.headers.items()))
        self.assertEqual(one.serialize_headers().count(b"\r\n"), other.serialize_headers().count(b"\r\n"))

    def test_what_was_stored_is_not_changed_by_an_answer(self):
        fixed, defaults = stored([("A", "1")]), stored([("B", "2")])
        response = HttpResponse()
        put(response, fixed, defaults=defaults)
        response.headers["A"] = response.headers["B"] = response.headers["C"] = "3"
        self.assertEqual((fixed, defaults), (stored([("A", "1")]), stored([("B", "2")])))

    def test_a_line_end_is_refused_when_it_is_stored(self):
        for text in ("a\nb", "a\rb"):
            with self.assertRaises(BadHeaderError):
                stored([("X-A", text)])

    def test_what_was_said_is_found_by_its_name_in_lower_case(self):
        self.assertEqual(said(HttpResponse(headers={"VaRy": "Cookie"}))["vary"], ("VaRy", "Cookie"))
