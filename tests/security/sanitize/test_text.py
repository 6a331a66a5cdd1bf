"""What plain text may hold."""

import unicodedata
from unittest import TestCase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.sanitize import TextRefused, plain_text
from tests.security.sanitize.texts import LOOKS_LIKE_A_TAG, TEXTS

pytestmark = pytest.mark.embedded  # no store is asked

# As names come from keyboards of India and elsewhere, and what a careless cleaner changes.
UNCHANGED = (
    "AT&T",
    "AT&amp;T",
    "O'Neil",
    'The "Lotus" & Sons > Rao',
    "a < b",
    "I <3 tea",
    "Rao <",
    "&lt;script&gt;",
    "आशा",
    "क्‍ष",
    "நிறுவனம்",
    "👩‍💼",
    "❤️",
    "Zoë",
)


def cleaned(text: str) -> str:
    return plain_text(text, max_length=100)


class PlainText(TestCase):
    """Names of India and elsewhere come back byte for byte; what hides or reorders text is refused."""

    def test_what_passes_unchanged(self):
        for text in UNCHANGED:
            with self.subTest(text):
                self.assertEqual(cleaned(text), text)

    def test_it_is_trimmed_and_composed(self):
        self.assertEqual(cleaned("  Zoe\u0308  "), "Zoë")

    def test_what_is_refused(self):
        for text in ("a\x00b", "a\nb", "a\tb", "a\x7fb", "a\x85b", "a\u200bb", "\ufeffa", "a\u202eb", "a\u2066b",
                     "a\u2028b", "a\ue000b", "\u00adsoft", "<b\x00>a"):  # fmt: skip
            with self.subTest(repr(text)), self.assertRaises(TextRefused) as caught:
                cleaned(text)
            self.assertEqual(caught.exception.code, "control_character")

    def test_what_shows_nothing_is_blank_as_an_empty_name_is(self):
        for text in ("\u200d", "\u200c \ufe0f", "\u0301\u0301", "\u3164", "\u115f\u1160\uffa0\u2800", "<b>\u200d</b>"):
            with self.subTest(repr(text)):
                self.assertEqual(cleaned(text), "")

    def test_what_draws_nothing_by_itself_stays_beside_what_does(self):
        for text in ("\u200dआ", "ह\u0301", "A\u3164", "❤\ufe0f"):
            with self.subTest(repr(text)):
                self.assertEqual(cleaned(text), unicodedata.normalize("NFC", text))

    def test_its_length_is_counted_afterwards_within_an_allowance(self):
        for text, result in ((" " * 15 + "Asha ", "Asha"), ("<i>Asha</i>", "Asha"), ("e\u0301" * 5, "é" * 5)):
            self.assertEqual(plain_text(text, max_length=5), result)
        for text in ("Asha R", " " * 21, "<i>" * 7):
            with self.subTest(text), self.assertRaises(TextRefused) as caught:
                plain_text(text, max_length=5)
            self.assertEqual(caught.exception.code, "max_length")

    @given(TEXTS)
    def test_what_passes_once_passes_again_unchanged(self, text):
        try:
            once = cleaned(text)
        except TextRefused:
            return
        self.assertEqual(cleaned(once), once)
        self.assertTrue(unicodedata.is_normalized("NFC", once))
        self.assertNotIn("\x00", once)

    @given(st.text(max_size=100).filter(lambda text: not LOOKS_LIKE_A_TAG.search(unicodedata.normalize("NFC", text))))
    def test_without_the_look_of_a_tag_it_is_only_composed_and_trimmed(self, text):
        try:
            once = cleaned(text)
        except TextRefused:
            return
        composed = unicodedata.normalize("NFC", text).strip()
        if once:
            self.assertEqual(once, composed)
        else:
            drawn = {one for one in composed if unicodedata.category(one) not in ("Mn", "Me", "Zs", "Cf")}
            self.assertLessEqual(drawn, set("\u115f\u1160\u2800\u3164\uffa0"))
