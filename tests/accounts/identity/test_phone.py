"""Indian mobile numbers, typed in many ways and stored in one. All numbers are invented."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.identity import phone
from accounts.identity.phone import PhoneError
from tests.accounts.identity import examples
from tests.accounts.identity.refusals import Refused, refusals_of, value_or_code

pytestmark = pytest.mark.embedded  # no store is asked

STORED = "+919876543210"
STORED_FORM = re.compile(r"\+91[6-9][0-9]{9}")


refusal = refusals_of(phone.to_e164, PhoneError)


class TestWaysOfTyping:
    """However people write their number, one form is stored (E.164)."""

    @pytest.mark.parametrize(
        "text",
        [
            "9876543210",
            "09876543210",
            "919876543210",
            "+919876543210",
            "+91 98765 43210",
            "+91-98765-43210",
            "+ 91 98765-43210",
            "098765 43210",
            "  98765 43210\r\n",
        ],
    )
    def test_prefixes_spaces_and_hyphens(self, text):
        assert phone.to_e164(text) == STORED

    @pytest.mark.parametrize(
        ("text", "stored"),
        [
            ("9198765432", "+919198765432"),  # ten digits: 91 is no prefix here
            ("919198765432", "+919198765432"),
            ("09198765432", "+919198765432"),
            ("6000000000", "+916000000000"),
            ("7000000000", "+917000000000"),
            ("8999999999", "+918999999999"),
        ],
    )
    def test_numbers_that_begin_like_a_prefix_and_the_ends_of_the_range(self, text, stored):
        assert phone.to_e164(text) == stored

    @given(
        st.from_regex("[6-9][0-9]{9}", fullmatch=True),
        st.sampled_from(["", "0", "91", "+91"]),
        st.lists(st.sampled_from(["", "", " ", "-"]), min_size=14, max_size=14),
    )
    def test_any_mobile_number_with_any_separators(self, subscriber, prefix, separators):
        written = "".join(a + b for a, b in zip(prefix + subscriber, separators, strict=False))
        stored = phone.to_e164(written)
        assert stored == f"+91{subscriber}"
        assert phone.to_e164(stored) == stored


class TestRefusals(Refused):
    """What is refused gets a reason a program can read and a sentence that does not repeat the input."""

    refusal = staticmethod(refusal)
    good = STORED
    mistyped = ("98765432101", "5876543210", "+442079460000", "98765x43210")
    parts = ("76543", "44")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "length"),
            (" - ", "length"),
            ("987654321", "length"),
            ("98765432101", "length"),
            ("+91987654321", "length"),
            ("+9198765432101", "length"),
            ("0919876543210", "length"),
            ("+910987654321", "not_mobile"),
            ("00919876543210", "length"),
            ("5876543210", "not_mobile"),
            ("0123456789", "not_mobile"),
            ("+442079460000", "country"),
            ("+9", "country"),
            ("+", "format"),
            ("++919876543210", "format"),
            ("98765+43210", "format"),
            ("98765.43210", "format"),
            ("(+91) 9876543210", "format"),
            ("tel:9876543210", "format"),
            ("9876543210x5", "format"),
        ],
    )
    def test_code(self, text, code):
        assert refusal(text).code == code

    @pytest.mark.parametrize(
        "text",
        [
            "९८७६५४३२१०",  # Devanagari digits, true for str.isdigit
            "９８７６５４３２１０",
            "987654321⁰",
            "＋919876543210",
            "98765\u00a043210",  # a no-break space
            "98765\u201143210",  # a no-break hyphen
            "98765\0" + "43210",
            "98765\n43210",
            "9876543210\0",
            "9876543210\x1c",
        ],
    )
    def test_strangers_to_ascii_and_control_characters(self, text):
        assert refusal(text).code == "format"

    @given(st.text(max_size=40) | st.text("+- 0912", max_size=16))
    def test_whatever_is_typed_is_read_or_refused(self, text):
        outcome = value_or_code(lambda: phone.to_e164(text))
        assert outcome in {"length", "format", "country", "not_mobile"} or STORED_FORM.fullmatch(outcome)


class TestExamples:
    """The invented numbers that other tests use are in the stored form, repeatable and distinct."""

    @given(st.integers(0, 4_000_000_000))
    def test_any_seed(self, seed):
        value = examples.a_phone(seed)
        assert phone.to_e164(value) == value == examples.a_phone(seed)

    def test_distinct(self):
        assert len({examples.a_phone(seed) for seed in range(30_000)}) == 30_000
