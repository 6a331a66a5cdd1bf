"""The rules of both policies, as functions of the password alone."""

import pytest

from accounts.passwords import check_password_policy
from accounts.passwords.policy import asvs_rules, default_rules, is_built_from, unusable

pytestmark = pytest.mark.embedded  # no store is asked

GOOD = "Monsoon-Ledger-47"
WORDS = [
    "Asha Rao",
    "asha.rao@lotustraders.example.in",
    "Lotus Traders Pvt Ltd",
    "+919800000001",
    "QZXCK4821M",
]


def misses(password: str) -> list[str]:
    return default_rules(password, has_second_factor=False)


class TestDefaultPolicy:
    """At least 8 characters, with upper case, lower case, a digit and a special character."""

    @pytest.mark.parametrize("password", [GOOD, "Aa1!Aa1!", "Ça va 1 fois", "Ωmega-7-σ", "Aa1 Aa1 "])
    def test_met(self, password):
        assert misses(password) == []

    @pytest.mark.parametrize(
        ("password", "sentence"),
        [
            ("Aa1!Aa1", "Use at least 8 characters."),
            ("aa1!aa1!", "Use at least one upper-case letter."),
            ("AA1!AA1!", "Use at least one lower-case letter."),
            ("Aaa!Aaa!", "Use at least one digit."),
            ("Aa1aAa1a", "Use at least one special character."),
        ],
    )
    def test_each_rule_alone(self, password, sentence):
        assert misses(password) == [sentence]

    def test_all_at_once(self):
        assert len(misses("")) == 5

    def test_a_second_factor_changes_nothing(self):
        assert default_rules("Aa1!Aa1", has_second_factor=True) == misses("Aa1!Aa1")

    def test_vowel_signs_are_no_special_characters(self):
        assert misses("हिन्दीAa1") == ["Use at least one special character."]

    def test_digits_of_any_script(self):
        assert misses("Abc-defg-४") == []

    def test_a_superscript_is_no_digit(self):
        assert "Use at least one digit." in misses("Abcdefg-²")


class TestAsvsPolicy:
    """Length only: 15 characters, or 8 beside a second factor (ASVS 5.0 6.2.1, 6.2.5)."""

    def test_alone(self):
        assert asvs_rules("a" * 14, has_second_factor=False) == ["Use at least 15 characters."]
        assert asvs_rules("a" * 15, has_second_factor=False) == []

    def test_beside_a_second_factor(self):
        assert asvs_rules("a" * 7, has_second_factor=True) == ["Use at least 8 characters."]
        assert asvs_rules("a" * 8, has_second_factor=True) == []


class TestSize:
    """Up to 1,024 bytes of any text; what is no text is told so."""

    @pytest.mark.parametrize("password", ["", "a" * 1024, "é" * 512, "a\0b", "🙂" * 256])
    def test_fits(self, password):
        assert unusable(password) == []

    @pytest.mark.parametrize("password", ["a" * 1025, "é" * 513])
    def test_too_long(self, password):
        assert unusable(password) == ["Use at most 1,024 bytes."]

    def test_half_a_character(self):
        assert unusable("Monsoon-\ud800-47") == ["Use whole characters only; one of these is broken."]


class TestOwnWords:
    """A person's and their company's own words count for nothing, however they are spelt."""

    @staticmethod
    def refused(password: str, words=WORDS) -> bool:
        return is_built_from(password, words, is_common=lambda rest: rest == "-monsoon-47")

    @pytest.mark.parametrize(
        "password",
        [
            "AshaRao@2026", "asharao#12A", "Asha@2026", "@sh@R40-47", "A$ha-2026!", "LotusTraders@1", "L0tu5-Traders!9",
            "Lotus@Traders1", "1Lotus2Asha3!", "Asha.Rao@1990", "9800000001aA!", "Qzxck4821m!", "Example.in1!",
            "ＡｓｈａＲａｏ@1", "Áshá@2026x", "ASHA-asha-Asha-1!",
        ],
    )  # fmt: skip
    def test_refused(self, password):
        assert self.refused(password)

    @pytest.mark.parametrize("password", [GOOD, "Asha-banyan-Teapot-47", "seven lotus ponds at dawn", "Rao9$kQ2!vTz"])
    def test_a_password_that_stands_without_them_passes(self, password):
        assert not self.refused(password)

    def test_what_is_left_must_not_be_common(self):
        assert self.refused("Asha-Monsoon-47")

    @pytest.mark.parametrize("words", [[], [""], ["Rao", "X Y", "@", "---"]])
    def test_words_of_less_than_four_letters_are_no_words(self, words):
        assert not self.refused("Rao-X-Y-1", words)

    def test_words_of_another_script(self):
        assert self.refused("आशालता@2026", ["आशालता राव"])


class TestTheWhole:
    """What the product tells a person about a new password."""

    def told(self, password: str, *, has_second_factor: bool = False) -> list[str]:
        return check_password_policy(password, words=WORDS, has_second_factor=has_second_factor)

    def test_a_good_one(self):
        assert self.told(GOOD) == []

    @pytest.mark.parametrize("length", [64, 128, 1024])
    def test_long_ones_are_taken(self, length):
        assert self.told((GOOD + "-and-Rain-") * (length // 27)) == []

    def test_the_plainest_reason_comes_first(self):
        assert self.told("asha1!")[0] == "Use at least 8 characters."

    def test_each_kind_of_reason_once(self):
        assert self.told("Asha@2026") == [
            "Use a password that is not built from your name, your e-mail or your company's name.",
            "Use a password that is less common.",
        ]

    def test_the_products_own_name(self):
        assert len(self.told("Koshflow-2026")) == 2

    def test_too_long_is_told_without_looking_further(self):
        assert self.told("a" * 1025) == ["Use at most 1,024 bytes."]

    def test_the_other_policy(self, settings):
        settings.PASSWORD_POLICY = "asvs"
        assert self.told("seven quiet ponds at dawn") == []
        assert self.told(GOOD[:12]) == ["Use at least 15 characters."]
        assert self.told(GOOD[:12], has_second_factor=True) == []
        assert self.told("passwordpassword") == ["Use a password that is less common."]

    @pytest.mark.parametrize("name", ["default", "asvs"])
    def test_no_sentence_repeats_the_password(self, settings, name):
        settings.PASSWORD_POLICY = name
        for password in ("Asha@2026", "Password@123", "short"):
            assert not any(password in sentence for sentence in self.told(password))
