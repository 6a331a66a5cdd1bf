"""GSTINs are recognised by form alone. The numbers are invented unless a public report is named."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.identity import gstin, pan
from accounts.identity.gstin import Category, Gstin, GstinError
from tests.accounts.identity import examples
from tests.accounts.identity.refusals import Refused, refusals_of, value_or_code

pytestmark = pytest.mark.embedded  # no store is asked

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GOOD = "27QZXCK4821M1ZW"


def _pattern(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


_states = st.sampled_from(sorted(gstin.STATES))
_pans = _pattern(r"[A-Z]{3}[ABCFGHJKLPT][A-Z][0-9]{3}[1-9][A-Z]")
_tans = _pattern(r"[A-Z]{4}[0-9]{5}[A-Z]")
_foreign = _pattern(r"[0-9]{2}[A-Z]{3}[0-9]{5}")


def _closed(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join).map(lambda first14: first14 + gstin.check_character(first14))


SHAPES = {
    Category.REGULAR: _closed(_states, _pans, _pattern("[1-9A-Z][1-9ABE-JZ]")),
    Category.TDS: _closed(_states, _pans | _tans, _pattern("[1-9A-Z]D")),
    Category.TCS: _closed(_states, _pans, _pattern("[1-9A-Z]C")),
    Category.GOVERNMENT: _closed(_states, _tans, _pattern("[0-9]Z")),
    Category.UIN: _closed(_states, _foreign, st.sampled_from(["UN", "ON"])),
    Category.NRI: _closed(_states, _foreign, st.sampled_from(["NR", "NF"])),
    Category.OIDAR: _closed(st.just("99"), _foreign, st.just("OS")),
}
valid_gstins = st.one_of(*SHAPES.values())


refusal = refusals_of(gstin.parse, GstinError)


class TestRealFormats:
    """Every form the GST network gives out is recognised, with its category, its state and the PAN inside."""

    @pytest.mark.parametrize(
        ("value", "category", "embedded"),
        [
            ("27QZXCK4821M1ZW", Category.REGULAR, "QZXCK4821M"),
            ("29QZXPA0007BAZ3", Category.REGULAR, "QZXPA0007B"),  # the tenth registration of a PAN is A
            ("07QZXHF4821KZ9G", Category.REGULAR, "QZXHF4821K"),  # character 14 is not always Z
            ("24QZXAG3141P1J5", Category.REGULAR, "QZXAG3141P"),
            ("27QZXCK4821M1D5", Category.TDS, "QZXCK4821M"),
            ("06QXZK40512G1DZ", Category.TDS, None),  # with a TAN
            ("29QZXCK4821M1C3", Category.TCS, "QZXCK4821M"),
            ("07QXZA40512G0ZA", Category.GOVERNMENT, None),
            ("0725QZX00042UNB", Category.UIN, None),
            ("3326QZX00007ONE", Category.UIN, None),
            ("2725QZX00042NR8", Category.NRI, None),
            ("0717QZX12345NFG", Category.NRI, None),
            ("9925QZX29042OSH", Category.OIDAR, None),
        ],
    )
    def test_each_category(self, value, category, embedded):
        found = gstin.parse(value)
        assert (found.value, found.category, found.pan) == (value, category, embedded)
        assert (found.state_code, found.state_name) == (value[:2], gstin.STATES[value[:2]])

    @pytest.mark.parametrize(
        ("value", "state_name"),
        [
            ("38QZXFL1234C2ZD", "Ladakh"),
            ("97QZXTD9999D1ZJ", "Other Territory"),
            ("99QZXJE0042E1Z4", "Centre Jurisdiction"),
            ("25QZXLM2718R1Z5", "Daman and Diu (until 2020)"),
            ("28QZXGN1618S1ZA", "Andhra Pradesh (before division)"),
        ],
    )
    def test_codes_that_other_validators_forget(self, value, state_name):
        assert gstin.parse(value).state_name == state_name

    @pytest.mark.parametrize("value", ["9917IRL29003OSG", "9922JPN29001OSU"])
    def test_companies_abroad_turned_away_by_other_products(self, value):
        # Reported in public: frappe/erpnext issue 16300 and odoo/odoo pull request 251760.
        assert gstin.parse(value).category is Category.OIDAR

    @given(st.sampled_from(list(Category)).flatmap(lambda c: st.tuples(st.just(c), SHAPES[c])))
    def test_any_valid_number_is_recognised_as_what_it_is(self, drawn):
        category, value = drawn
        found = gstin.parse(value)
        assert (found.value, found.category, found.state_code) == (value, category, value[:2])
        assert found.pan in (None, value[2:12])


class TestStates:
    """The table holds the codes a GSTIN can start with, and cannot be changed by whoever imports it."""

    def test_holds_01_to_38_and_97_and_99(self):
        assert sorted(gstin.STATES) == [f"{code:02d}" for code in range(1, 39)] + ["97", "99"]

    def test_is_read_only(self):
        with pytest.raises(TypeError):
            gstin.STATES["96"] = "Elsewhere"  # type: ignore[index]


class TestTyping:
    """Blanks around the number and lower case are forgiven; a number read once reads the same again."""

    @given(valid_gstins, st.text(" \t\r\n", max_size=10), st.text(" \t\r\n", max_size=10))
    def test_lower_case_and_blanks_make_no_difference(self, value, before, after):
        expected = gstin.parse(value)
        assert gstin.parse(f"{before}{value.lower()}{after}") == expected
        assert gstin.parse(expected.value) == expected

    def test_blanks_and_hyphens_inside_are_not_guessed_at(self):
        assert refusal("27 QZXCK4821M 1ZW").code == "length"
        assert refusal("27-QZXCK4821M-1ZW").code == "length"


class TestCheckCharacter:
    """A typing error is found by the last character, and the reader is told which one was expected."""

    def test_names_the_expected_character(self):
        error = refusal(GOOD[:-1] + "A")
        assert error.code == "check_character"
        assert "should be W" in error.message

    @given(valid_gstins, st.integers(0, 14), st.sampled_from(ALPHABET))
    def test_any_single_changed_character_is_refused(self, value, position, other):
        changed = value[:position] + other + value[position + 1 :]
        if changed != value:
            refusal(changed)

    @given(valid_gstins, st.integers(0, 12))
    def test_swapped_neighbours_are_refused_save_0_and_z(self, value, position):
        pair = value[position : position + 2]
        if pair[0] != pair[1] and set(pair) != {"0", "Z"}:
            refusal(value[:position] + pair[::-1] + value[position + 2 :])

    @pytest.mark.parametrize("first14", ["", GOOD, GOOD[:13]])
    def test_wants_fourteen_characters(self, first14):
        with pytest.raises(GstinError, match="14 characters"):
            gstin.check_character(first14)

    @pytest.mark.parametrize("stranger", ["z", " ", "٣", "Ａ", "\0"])
    def test_wants_digits_and_upper_case_letters(self, stranger):
        with pytest.raises(GstinError, match="A to Z"):
            gstin.check_character(GOOD[:13] + stranger)


class TestRefusals(Refused):
    """What is refused gets a reason a program can read and a sentence that does not repeat the input."""

    refusal = staticmethod(refusal)
    good = GOOD
    mistyped = (GOOD[:-1], GOOD[:-1] + "X", GOOD[:-1] + "ß", "39" + GOOD[2:], "AA" + GOOD[2:])
    parts = ("QZX", "4821")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "length"),
            ("   ", "length"),
            (GOOD[:-1], "length"),
            (GOOD + "1", "length"),
            (GOOD + " " * 60, "length"),  # more blanks than any paste brings
            ("000000000000000", "format"),
            ("27QZXCK4821M0ZW", "format"),  # registrations are counted from 1
            ("27QZXCK4821M1SW", "format"),  # no category has S
            ("2725QZX00042XX8", "format"),
            ("00QZXCK4821M1ZW", "state"),
            ("39QZXCK4821M1ZW", "state"),
            ("96QZXCK4821M1ZW", "state"),  # a place of supply, never a registration
            ("98QZXCK4821M1ZW", "state"),
            ("2725QZX29042OSH", "state"),  # OIDAR is registered with the centre alone
            ("27QZXXK4821M1ZW", "pan"),  # no holder is an X
            ("27QZXCK0000M1ZW", "pan"),
            ("27QZXXK4821M1DW", "pan"),
            ("27QZXCK4821M1ZX", "check_character"),
        ],
    )
    def test_code(self, text, code):
        assert refusal(text).code == code

    @pytest.mark.parametrize(
        "text",
        [
            "２７QZXCK4821M1ZW",  # full-width digits, true for str.isdigit
            "२७QZXCK4821M1ZW",  # Devanagari digits
            "27QZXCK482¹M1ZW",
            "27ＱZXCK4821M1ZW",
            "27QZXCı4821M1ZW",  # upper() makes it I
            "27QZXCſ4821M1ZW",  # upper() makes it S
            "27QZXCK4821M1Zß",  # upper() makes it two letters
            "27QZXC\u212a4821M1ZW",  # the Kelvin sign, whose lower case is k
            "27QZXCK4821M1\0W",
            "27QZXCK4821M1\nW",
            "\u00a0" + GOOD[:14],
            "\x1f" + GOOD[:14],
        ],
    )
    def test_strangers_to_ascii_and_control_characters(self, text):
        assert len(text) == 15
        assert refusal(text).code == "format"

    @pytest.mark.parametrize("edge", ["\u00a0", "\u2003", "\x1c", "\x85", "\ufeff", "\0"])
    def test_only_plain_blanks_are_taken_off(self, edge):
        assert refusal(GOOD + edge).code == "length"

    @given(st.text(max_size=80) | st.text(ALPHABET, min_size=15, max_size=15))
    def test_whatever_is_typed_is_read_or_refused(self, text):
        reasons = {"length", "format", "state", "pan", "check_character"}
        assert value_or_code(lambda: gstin.parse(text).value) in reasons | {text.strip().upper()}


class TestPrivacy:
    """The number identifies a taxpayer, so that it does not slip into a log by way of repr()."""

    def test_repr_shows_neither_number_nor_pan(self):
        assert repr(gstin.parse(GOOD)) == (
            "Gstin(state_code='27', state_name='Maharashtra', category=<Category.REGULAR: 'regular'>)"
        )

    def test_a_parsed_number_cannot_be_altered(self):
        with pytest.raises(FrozenInstanceError):
            gstin.parse(GOOD).value = "27"  # type: ignore[misc]


class TestMatchingPan:
    """A company that gives both numbers gives the same PAN twice."""

    def test_the_same_pan_passes(self):
        assert gstin.check_matches_pan(gstin.parse(GOOD), pan.parse("qzxck4821m")) is None

    def test_another_pan_is_refused_and_both_are_named(self):
        with pytest.raises(GstinError) as caught:
            gstin.check_matches_pan(gstin.parse(GOOD), pan.parse("QZXCK4822M"))
        assert caught.value.code == "pan_mismatch"
        assert "The GSTIN and the PAN" in caught.value.message
        assert "QZX" not in caught.value.message

    def test_a_number_without_a_pan_contradicts_none(self):
        embassy: Gstin = gstin.parse("0725QZX00042UNB")
        assert gstin.check_matches_pan(embassy, pan.parse("QZXCK4822M")) is None


class TestExamples:
    """The invented numbers that other tests use are valid in form, repeatable and distinct."""

    def test_every_state_and_a_given_pan(self):
        for seed, state in enumerate(gstin.STATES):
            assert gstin.parse(examples.a_gstin(seed, state=state)).state_code == state
        company = examples.a_pan(3, holder="F")
        branches = {examples.a_gstin(seed, pan=company) for seed in range(35)}
        assert len(branches) == 35
        assert {gstin.parse(branch).pan for branch in branches} == {company}

    def test_distinct_and_repeatable(self):
        first = [examples.a_gstin(seed) for seed in range(500)]
        assert len(set(first)) == 500
        assert first == [examples.a_gstin(seed) for seed in range(500)]
