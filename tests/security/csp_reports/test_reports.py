"""Reading reports: of whatever a stranger writes, closed words and origins remain."""

import json
from unittest import TestCase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.csp_reports.reports import (
    DIRECTIVES,
    LEGACY,
    MOST_REPORTS,
    OTHER,
    REPORTS,
    Violation,
    origin_of,
    read_violations,
)
from security.errors import MalformedJson

pytestmark = pytest.mark.embedded  # no store is asked


def read(document, media_type=REPORTS):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_violations(body, media_type=media_type, place=lambda address: f"<{address}>")


def entry(**body):
    return {"type": "csp-violation", "body": body}


class BothForms(TestCase):
    """The report of CSP Level 2 and the list of the Reporting API say the same."""

    EXPECTED = Violation("script-src-elem", "https://evil.example", "<https://a.in/x>")

    def test_the_single_report(self):
        report = {
            "document-uri": "https://a.in/x",
            "violated-directive": "script-src 'self'",
            "effective-directive": "script-src-elem",
            "blocked-uri": "https://evil.example/steal.js?person=asha",
            "original-policy": "default-src 'none'",
        }
        self.assertEqual(read({"csp-report": report}, LEGACY), [self.EXPECTED])

    def test_the_list(self):
        told = entry(
            documentURL="https://a.in/x",
            effectiveDirective="script-src-elem",
            blockedURL="https://evil.example/steal.js?person=asha",
        )
        self.assertEqual(read([{"type": "deprecation", "body": {}}, told]), [self.EXPECTED])

    def test_an_older_browser_names_the_directive_with_its_sources(self):
        (violation,) = read({"csp-report": {"violated-directive": "style-src 'self' https://a.in"}}, LEGACY)
        self.assertEqual(violation.directive, "style-src")

    def test_at_most_twenty_of_a_list_are_read(self):
        self.assertEqual(len(read([entry()] * (MOST_REPORTS + 5))), MOST_REPORTS)

    def test_members_of_other_types_are_as_if_absent(self):
        odd = entry(effectiveDirective=["script-src"], blockedURL=7, documentURL={"a": 1})
        self.assertEqual(read([odd, {"type": "csp-violation", "body": "text"}]), [Violation(OTHER, OTHER, "<>")])


class Malformed(TestCase):
    """What is no report in JSON is refused."""

    def test_each(self):
        for body in (b"", b"{", b"\xff", b"[" * 8000, b"1", b"null"):
            for media_type in (LEGACY, REPORTS):
                with self.subTest(body[:9], media_type=media_type), self.assertRaises(MalformedJson):
                    read(body, media_type)
        for document, media_type in (
            ({}, LEGACY),
            ({"csp-report": []}, LEGACY),
            ([], LEGACY),
            ({}, REPORTS),
            ([1], REPORTS),
        ):
            with self.subTest(document), self.assertRaises(MalformedJson):
                read(document, media_type)


class Origins(TestCase):
    """No path, query, fragment or credentials of an address is kept."""

    def test_an_address_is_cut_to_its_origin(self):
        for address, kept in {
            "https://evil.example/a/b?token=1#c": "https://evil.example",
            "HTTP://Asha:secret@Evil.Example:8080/x": "http://evil.example:8080",
            "wss://live.example/": "wss://live.example",
            "https://[2001:db8::1]:444/x": "https://[2001:db8::1]:444",
        }.items():
            self.assertEqual(origin_of(address), kept)

    def test_words_of_the_standard_stay(self):
        for address, kept in {
            "inline": "inline",
            "eval": "eval",
            "data": "data",
            "data:text/html,asha@lotus.example.in": "data",
            "blob:https://a.in/9": "blob",
            "chrome-extension://abcdef/x.js": "chrome-extension",
        }.items():
            self.assertEqual(origin_of(address), kept)

    def test_anything_else_is_other(self):
        for address in (
            "", "asha@lotus.example.in", "javascript:alert(1)", "https://", "https://a b/", "https://a.in:99999/",
            "https://[::1", "https://a\x00b.in/", "https://" + "a" * 200, "mailto:asha@lotus.example.in", "https://-a/",
        ):  # fmt: skip
            with self.subTest(address):
                self.assertEqual(origin_of(address), OTHER)

    @given(st.text(max_size=60) | st.text(max_size=60).map(lambda tail: "https://" + tail))
    def test_whatever_is_sent_a_short_plain_word_comes_out(self, address):
        self.assertRegex(origin_of(address), r"\A[a-z0-9:/.\[\]-]{4,115}\Z")

    @given(
        st.recursive(
            st.none() | st.text() | st.integers(), lambda kids: st.lists(kids) | st.dictionaries(st.text(), kids)
        )
    )
    def test_no_json_breaks_the_reading(self, value):
        for violation in read([entry(effectiveDirective=value, blockedURL=value), {"type": value, "body": value}]):
            self.assertIn(violation.directive, DIRECTIVES | {OTHER})
