"""What plain text may hold."""

import unicodedata
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from security.sanitize import TextRefused, plain_text


class PlainText(TestCase):
    """Names of India and elsewhere come back byte for byte; what hides or reorders text is refused."""

    def test_what_passes_unchanged(self):
        for text in (
            "AT&T",
            "O'Neil",
            "a < b",
            "<script>alert(1)</script>",
            "आशा",
            "क्‍ष",
            "நிறுவனம்",
            "👩‍💼",
            "❤️",
            "Zoë",
        ):
            with self.subTest(text):
                self.assertEqual(plain_text(text), text)

    def test_it_is_trimmed_and_composed(self):
        self.assertEqual(plain_text("  Zoe\u0308  "), "Zoë")

    def test_what_is_refused(self):
        for text in ("a\x00b", "a\nb", "a\tb", "a\x7fb", "a\x85b", "a\u200bb", "\ufeffa", "a\u202eb", "a\u2066b",
                     "a\u2028b", "a\ue000b", "\u00adsoft"):  # fmt: skip
            with self.subTest(repr(text)), self.assertRaises(TextRefused):
                plain_text(text)

    @given(st.text(max_size=100))
    def test_what_passes_once_passes_again_unchanged(self, text):
        try:
            once = plain_text(text)
        except TextRefused:
            return
        self.assertEqual(plain_text(once), once)
        self.assertTrue(unicodedata.is_normalized("NFC", once))
        self.assertNotIn("\x00", once)
