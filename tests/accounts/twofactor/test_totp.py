"""Codes and steps, without a database. The vectors are RFC 4226 appendix D and RFC 6238 appendix B."""

import pytest
from django.test import SimpleTestCase

from accounts.twofactor.totp import is_code, matching_step, new_secret, secret_bytes

pytestmark = pytest.mark.embedded  # no store is asked

SECRET = b"12345678901234567890"
HOTP_VECTORS = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
TOTP_VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


class Vectors(SimpleTestCase):
    """The standards' own numbers come out."""

    def test_rfc_4226_appendix_d(self):
        for counter, code in enumerate(HOTP_VECTORS):
            step = matching_step(SECRET, code, at=counter * 30, drift=0)
            self.assertEqual(step, counter)

    def test_rfc_6238_appendix_b(self):
        # The table has eight digits; six are its last six (RFC 4226 §5.3: the number modulo 10^digits).
        for at, code in TOTP_VECTORS.items():
            self.assertEqual(matching_step(SECRET, code[-6:], at=at, drift=0), at // 30)


class Steps(SimpleTestCase):
    """A code is good in its own step and one either way. What is spent, the device knows."""

    step = 5
    at = 5 * 30

    def code(self, steps_away):
        return HOTP_VECTORS[self.step + steps_away]

    def test_this_step_and_its_neighbours(self):
        for steps_away in (-1, 0, 1):
            found = matching_step(SECRET, self.code(steps_away), at=self.at, drift=1)
            self.assertEqual(found, self.step + steps_away)

    def test_no_step_further_away(self):
        for steps_away in (-3, -2, 2, 3):
            self.assertIsNone(matching_step(SECRET, self.code(steps_away), at=self.at, drift=1))

    def test_strict_takes_this_step_only(self):
        for steps_away, expected in ((-1, None), (0, self.step), (1, None)):
            found = matching_step(SECRET, self.code(steps_away), at=self.at, drift=0)
            self.assertEqual(found, expected)

    def test_two_steps_that_share_a_code_by_chance_count_as_the_later(self):
        twin = 910_738  # with this secret it and the step before it both give 911617
        for steps_away in (-1, 0):
            self.assertEqual(matching_step(SECRET, "911617", at=(twin + steps_away) * 30, drift=1), twin)

    def test_the_first_seconds_of_the_epoch_have_no_step_before_them(self):
        self.assertEqual(matching_step(SECRET, HOTP_VECTORS[1], at=0, drift=1), 1)


class Form(SimpleTestCase):
    """What is not six ASCII digits is no code, whatever int() thinks of it."""

    def test_others_are_refused_before_they_are_numbers(self):
        for text in (
            "",
            "75522",
            "7552244",
            " 755224",
            "755224\n",
            "755_224",
            "+55224",
            "-55224",
            "75522a",
            "٧٥٥٢٢٤",
            "७५५२२४",
            "755224\u0000",
            "0x1234",
            "１２３４５６",
        ):
            with self.subTest(text=text):
                self.assertFalse(is_code(text))
                self.assertIsNone(matching_step(SECRET, text, at=0, drift=1))

    def test_leading_zeros_count(self):
        self.assertEqual(matching_step(SECRET, "081804", at=1111111109, drift=1), 1111111109 // 30)
        self.assertIsNone(matching_step(SECRET, "81804", at=1111111109, drift=1))


class Secrets(SimpleTestCase):
    """A secret is 160 random bits in base32 (RFC 4226 §4)."""

    def test_its_size_and_form(self):
        secret = new_secret()
        self.assertRegex(secret, r"\A[A-Z2-7]{32}\Z")
        self.assertEqual(len(secret_bytes(secret)), 20)

    def test_no_two_are_alike(self):
        self.assertEqual(len({new_secret() for _ in range(100)}), 100)
