"""How recovery codes look, and which texts spell one."""

import hashlib
import math

import pytest
from django.test import SimpleTestCase

from accounts.twofactor.recovery_codes import code_hash, new_codes

pytestmark = pytest.mark.embedded  # no store is asked


class RecoveryCodes(SimpleTestCase):
    """Ten codes of 115 bits; 112 is where a plain hash is enough (ASVS 6.5.2)."""

    def test_their_number_form_and_strength(self):
        codes = new_codes()
        self.assertEqual(len(set(codes)), 10)
        for code in codes:
            self.assertRegex(code, r"\A[A-Z2-7]{6}-[A-Z2-7]{6}-[A-Z2-7]{6}-[A-Z2-7]{5}\Z")
        self.assertGreaterEqual(math.log2(32) * len(codes[0].replace("-", "")), 112)

    def test_case_spaces_and_hyphens_do_not_matter(self):
        code = new_codes()[0]
        plain = code.replace("-", "")
        for text in (plain, code.lower(), f"  {code} ", plain[:11] + " " + plain[11:], plain[:5] + "--" + plain[5:]):
            with self.subTest(text=text):
                self.assertEqual(code_hash(text), code_hash(code))
        self.assertEqual(code_hash(code), hashlib.sha256(plain.encode()).digest())

    def test_other_texts_spell_none(self):
        plain = new_codes()[0].replace("-", "")
        for text in (
            "",
            "123456",
            plain[1:],
            plain + "A",
            "1" + plain[1:],
            "ı" + plain[1:],
            "ſ" + plain[1:],
            plain + "\n",
        ):
            with self.subTest(text=text):
                self.assertIsNone(code_hash(text))
