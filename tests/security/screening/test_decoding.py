"""Disguises come off before a text is judged."""

from unittest import TestCase

import pytest

from security.screening.decoding import MAX_VALUE_CHARACTERS, decoded

pytestmark = pytest.mark.embedded  # no store is asked


class Decoding(TestCase):
    """Every usual encoding, alone or one over another, comes down to the same plain text."""

    def test_each_encoding_of_a_bracket(self):
        for sent in (
            "<",
            "%3c",
            "%253C",
            "%25253c",
            "&lt;",
            "&#60;",
            "&#x3C;",
            "&amp;lt;",
            "%26lt%3b",
            r"\u003c",
            r"\x3C",
            "%u003C",
            "\uff1c",
            "\ufe64",
        ):
            self.assertEqual(decoded(sent), "<", sent)

    def test_a_dot_in_more_bytes_than_it_needs(self):
        for sent in ("%c0%ae", "%C0%AE", "%e0%80%ae", "%f0%80%80%ae", "%25c0%25ae"):
            self.assertEqual(decoded(sent), ".", sent)
        self.assertEqual(decoded("%c1%9c"), "\\")

    def test_letters_that_only_look_otherwise(self):
        self.assertEqual(decoded("\uff35\uff2e\uff29\uff2f\uff2e"), "union")
        self.assertEqual(decoded("\U0001d42e\U0001d427\U0001d422\U0001d428\U0001d427"), "union")

    def test_characters_nobody_sees(self):
        self.assertEqual(decoded("scr\u200bi\xadpt"), "script")

    def test_comments_and_blanks_are_one_blank(self):
        self.assertEqual(decoded("UNION/**/SELECT \t /*x*/1"), "union select 1")
        self.assertEqual(decoded("/*!50000union*/ select"), " union select")

    def test_line_breaks_are_one_line_feed(self):
        self.assertEqual(decoded("a\r\n\r\nb%0d%0ac"), "a\nb\nc")

    def test_honest_text_stays_what_it_is(self):
        for text in ("o'neil & sons", "50% off; net 30", "a < b", "आशा राव", r"c:\new\reports"):
            self.assertEqual(decoded(text), text)

    def test_half_a_surrogate_pair_is_no_character(self):
        self.assertEqual(decoded(r"\ud800"), "\N{REPLACEMENT CHARACTER}")


class Bounds(TestCase):
    """Neither rounds nor growth are without end."""

    def test_a_fourth_encoding_is_not_undone(self):
        self.assertEqual(decoded("%2525253c"), "%3c")

    def test_a_character_that_grows_eighteenfold_is_cut(self):
        self.assertEqual(len(decoded("\ufdfa" * MAX_VALUE_CHARACTERS)), MAX_VALUE_CHARACTERS)
