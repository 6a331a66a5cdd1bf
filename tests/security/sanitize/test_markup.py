"""Markup in a line of text."""

import sys
import unicodedata
from unittest import TestCase, mock

import bleach
import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.sanitize import TextRefused, plain_text
from security.sanitize.markup import without_markup
from tests.architecture.code import imports, modules
from tests.security.sanitize.texts import LOOKS_LIKE_A_TAG, TEXTS

pytestmark = pytest.mark.embedded  # no store is asked

# What parts the pieces of a name and must go without a trace.
_MARKUP = st.sampled_from(
    ("<b>", "</i>", "<img src=x onerror=alert(1)>", "<!-- Rao -->", "<?php echo 1 ?>", "<a title='a & b'>")
)
_WORDS = st.text(st.sampled_from("ab &;\"'>#=é आ💼\u200dltamp"), max_size=12)


def cleaned(text: str) -> str:
    return plain_text(text, max_length=100)


class Markup(TestCase):
    """Tags, comments and declarations are taken out of a line of text; what stands around them stays as it was."""

    def test_what_goes_and_what_stays(self):
        for text, result in (
            ("<script>alert(1)</script>", "alert(1)"),
            ("<b>Asha</b> <!-- Rao -->Rao<br/>", "Asha Rao"),
            ("<img src=x onerror=alert(1)>", ""),
            ("<!doctype html><?xml version='1.0'?>Asha", "Asha"),
            ("AT&T &amp; <i>O'Neil</i>, a < b", "AT&T &amp; O'Neil, a < b"),
            ("Asha <asha@lotus.example.in>", "Asha"),
            ("Lotus<p>Traders", "LotusTraders"),
            ("Lotus<p>Tra<p>ders", "LotusTra ders"),
            ("Zoe<b>\u0308", "Zoë"),
        ):
            with self.subTest(text):
                self.assertEqual(cleaned(text), result)

    def test_a_tag_that_never_ends_loses_its_bracket(self):
        for text, result in (("a <b", "a b"), ("<img src=x onerror=alert(1)", "img src=x onerror=alert(1)"),
                             ("a <<<b", "a b"), ("a < <b", "a < b"), ("a </", "a /")):  # fmt: skip
            with self.subTest(text):
                self.assertEqual(cleaned(text), result)

    def test_markup_inside_markup_goes_too_however_deep(self):
        self.assertEqual(cleaned("<<b>script>alert(1)<</b>/script>"), "alert(1)")
        for depth in range(2, 9):
            self.assertNotRegex(cleaned("<" * depth + "b>" * depth), LOOKS_LIKE_A_TAG)

    def test_what_is_written_as_entities_is_text(self):
        for text in (
            "&lt;script&gt;",
            "&amp;lt;script&amp;gt;",
            "&#60;script&#62;",
            "&#x3c;b>",
            "%3Cb%3E",
            "\uff1cb\uff1e",
        ):
            self.assertEqual(cleaned(text), text)
            self.assertEqual(cleaned(f"<b>{text}</b>"), text)

    @given(TEXTS)
    def test_nothing_that_looks_like_a_tag_is_left_and_nothing_grows(self, text):
        try:
            once = cleaned(text)
        except TextRefused:
            return
        self.assertNotRegex(once, LOOKS_LIKE_A_TAG)
        self.assertLessEqual(len(once), len(unicodedata.normalize("NFC", text)))
        self.assertEqual(cleaned(once), once)

    @given(st.lists(st.tuples(_WORDS, _MARKUP), max_size=5), _WORDS)
    def test_the_words_around_it_come_back_byte_for_byte(self, pairs, last):
        text = "".join(word + markup for word, markup in pairs) + last
        self.assertEqual(without_markup(text), "".join(word for word, _ in pairs) + last)


class WhatItCosts(TestCase):
    """The length is looked at first, the number of readings is bounded, and only markup loads bleach."""

    def test_a_text_that_is_too_long_is_read_by_nobody(self):
        with mock.patch("bleach.clean") as clean:
            for hostile in ("<b>" * 3400, "<" * 10_000, "&lt;" * 2500, "<!--" * 2500, "<b " + "a=1 " * 2500):
                with self.assertRaises(TextRefused):
                    cleaned(hostile)
        clean.assert_not_called()

    def test_a_tower_of_tags_is_read_three_times_at_most(self):
        with mock.patch("bleach.clean", side_effect=bleach.clean) as clean:
            cleaned("<" * 40 + "b>" * 40)
        self.assertEqual(clean.call_count, 3)

    def test_only_markup_loads_bleach(self):
        with mock.patch.dict(sys.modules, {"bleach": None}):  # whoever imports it now fails
            self.assertEqual(cleaned("AT&T, a < b"), "AT&T, a < b")
            with self.assertRaises(ImportError):
                cleaned("<b>")

    def test_one_module_knows_it_and_loads_it_in_a_function(self):
        found = [found for path in modules() for found in imports(path) if found.module.split(".")[0] == "bleach"]
        self.assertEqual([(one.importer, one.is_hidden) for one in found], [("security.sanitize.markup", True)])
