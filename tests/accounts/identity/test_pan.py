"""PANs are recognised by form alone. All numbers are invented."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.identity import pan
from accounts.identity.pan import PanError
from tests.accounts.identity import examples
from tests.accounts.identity.refusals import Refused, refusals_of, value_or_code

pytestmark = pytest.mark.embedded  # no store is asked

GOOD = "QZXCK4821M"
valid_pans = st.from_regex(r"[A-Z]{3}[ABCFGHJKLPT][A-Z][0-9]{3}[1-9][A-Z]", fullmatch=True)


refusal = refusals_of(pan.parse, PanError)


class TestHolders:
    """The fourth letter tells what kind of holder the number belongs to."""

    @pytest.mark.parametrize(
        ("value", "holder_type"),
        [
            ("QZXPK4821M", "person"),
            ("QZXCK4821M", "company"),
            ("QZXFK4821M", "firm"),
            ("QZXHK4821M", "Hindu undivided family"),
            ("QZXTK4821M", "trust"),
            ("QZXAK4821M", "association of persons"),
            ("QZXBK4821M", "body of individuals"),
            ("QZXGK4821M", "government"),
            ("QZXJK4821M", "artificial juridical person"),
            ("QZXLK4821M", "local authority"),
            ("QZXKK4821M", "trust (Krish)"),
        ],
    )
    def test_each_kind(self, value, holder_type):
        assert (pan.parse(value).value, pan.parse(value).holder_type) == (value, holder_type)

    @pytest.mark.parametrize("letter", sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") - set("ABCFGHJKLPT")))
    def test_no_other_kind_exists(self, letter):
        assert refusal(f"QZX{letter}K4821M").code == "holder_type"


class TestTyping:
    """Blanks around the number and lower case are forgiven; a number read once reads the same again."""

    @given(valid_pans, st.text(" \t\r\n", max_size=10), st.text(" \t\r\n", max_size=10))
    def test_lower_case_and_blanks_make_no_difference(self, value, before, after):
        expected = pan.parse(value)
        assert expected.value == value
        assert pan.parse(f"{before}{value.lower()}{after}") == expected
        assert pan.parse(expected.value) == expected


class TestRefusals(Refused):
    """What is refused gets a reason a program can read and a sentence that does not repeat the input."""

    refusal = staticmethod(refusal)
    good = GOOD
    mistyped = (GOOD * 2, "QZXCKA821M", "QZXXK4821M", "QZXCK0000M")
    parts = ("QZX", "4821")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "length"),
            (GOOD[:-1], "length"),
            (GOOD + "1", "length"),
            (GOOD + " " * 60, "length"),  # more blanks than any paste brings
            ("QZXCK 4821M", "length"),
            ("QZXC14821M", "format"),
            ("QZXCKA821M", "format"),
            ("QZXCK48211", "format"),
            ("QZXCK0000M", "serial"),
        ],
    )
    def test_code(self, text, code):
        assert refusal(text).code == code

    @pytest.mark.parametrize(
        "text",
        [
            "QZXCK４821M",  # a full-width digit, true for str.isdigit
            "QZXCK४८२१M",  # Devanagari digits
            "QZXCı4821M",  # upper() makes it I
            "QZXCK4821ſ",  # upper() makes it S
            "QZXCK4821ß",  # upper() makes it two letters
            "QZXC\u212a4821M",  # the Kelvin sign, whose lower case is k
            "QZXCK4821\0",
            "QZXCK\n821M",
            "\u00a0QZXCK4821",
        ],
    )
    def test_strangers_to_ascii_and_control_characters(self, text):
        assert refusal(text[:10]).code == "format"

    @pytest.mark.parametrize("edge", ["\u00a0", "\u2003", "\x1c", "\x85", "\0"])
    def test_only_plain_blanks_are_taken_off(self, edge):
        assert refusal(GOOD + edge).code == "length"

    @given(st.text(max_size=80) | st.text("AC019", min_size=10, max_size=10))
    def test_whatever_is_typed_is_read_or_refused(self, text):
        reasons = {"length", "format", "holder_type", "serial"}
        assert value_or_code(lambda: pan.parse(text).value) in reasons | {text.strip().upper()}


class TestPrivacy:
    """The number identifies a taxpayer, so that it does not slip into a log by way of repr()."""

    def test_repr_does_not_show_the_number(self):
        assert repr(pan.parse(GOOD)) == "Pan(holder_type='company')"

    def test_a_parsed_number_cannot_be_altered(self):
        with pytest.raises(FrozenInstanceError):
            pan.parse(GOOD).value = "X"  # type: ignore[misc]

    def test_the_table_of_holders_is_read_only(self):
        with pytest.raises(TypeError):
            pan.HOLDER_TYPES["X"] = "stranger"  # type: ignore[index]


class TestExamples:
    """The invented numbers that other tests use are valid in form, repeatable and distinct."""

    @given(st.integers(0, 10**10), st.sampled_from(sorted(pan.HOLDER_TYPES)))
    def test_any_seed_and_holder(self, seed, holder):
        value = examples.a_pan(seed, holder=holder)
        assert pan.parse(value).holder_type == pan.HOLDER_TYPES[holder]
        assert value == examples.a_pan(seed, holder=holder)

    def test_distinct(self):
        assert len({examples.a_pan(seed) for seed in range(30_000)}) == 30_000
