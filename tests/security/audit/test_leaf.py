"""Bytes and hashes of an audit event, against values computed outside this code (openssl, hashlib)."""

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from unittest import TestCase
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.audit.leaf import (
    Leaf,
    LeafRefused,
    canonical,
    commitment,
    is_opened_by,
    leaf_hash,
    timestamp,
    window_mac,
)

pytestmark = pytest.mark.embedded  # no store is asked

SALT = bytes(range(16))
ADDRESS_COMMITMENT = "w1dk1GEEE9NuWE2UrhQg7uf4E/0UkHfC77+nlEm483A="
LEAF_TEXT = (
    '{"actor":"6f1d8c1e-3b54-4a7b-9a53-0d6c5a6e7f01","class":"auth","company":null,'
    '"data":{"agent":"Firefox","n":3,"wort":"Prüfung ₹"},"id":"01920000-0000-7000-8000-000000000001",'
    '"node":"web-1","outcome":"success","pii":{"address":"w1dk1GEEE9NuWE2UrhQg7uf4E/0UkHfC77+nlEm483A="},'
    '"request_id":"req-1","sid":null,"target":null,"ts":"2026-11-24T04:30:00.000007Z",'
    '"type":"session.created","v":1}'
)
LEAF_HASH = "1c312bb1161622651b7245b118a12892ed1613f4a3589bb8d7171bb5c0d80d2f"
LEAF_MAC = "239c3d44857975e5f715deca3304f862a82784458cb63d8ad30c1116c6c29853"


def example(**changes) -> Leaf:
    fields = {
        "id": UUID("01920000-0000-7000-8000-000000000001"),
        "occurred_at": datetime(2026, 11, 24, 4, 30, 0, 7, tzinfo=UTC),
        "audit_class": "auth",
        "type": "session.created",
        "outcome": "success",
        "actor": UUID("6f1d8c1e-3b54-4a7b-9a53-0d6c5a6e7f01"),
        "target": None,
        "company": None,
        "session_id": None,
        "request_id": "req-1",
        "node": "web-1",
        "data": {"wort": "Prüfung ₹", "n": 3, "agent": "Firefox"},
        "pii": {"address": ADDRESS_COMMITMENT},
    }
    return Leaf(**fields | changes)


class LeafBytes(TestCase):
    """An event has exactly one form in bytes (RFC 8785 without floats) and one hash (RFC 6962 §2.1)."""

    def test_the_bytes_are_the_written_down_ones(self):
        self.assertEqual(example().encode().decode(), LEAF_TEXT)

    def test_the_hash_is_that_of_a_zero_byte_and_the_leaf(self):
        self.assertEqual(leaf_hash(LEAF_TEXT.encode()).hex(), LEAF_HASH)
        self.assertEqual(hashlib.sha256(b"\x00" + LEAF_TEXT.encode()).hexdigest(), LEAF_HASH)

    def test_the_mac_covers_hash_and_node(self):
        mac = window_mac(key=b"k" * 32, digest=bytes.fromhex(LEAF_HASH), node="web-1")
        self.assertEqual(mac.hex(), LEAF_MAC)
        self.assertNotEqual(mac, window_mac(key=b"k" * 32, digest=bytes.fromhex(LEAF_HASH), node="web-2"))

    def test_times_are_utc_with_microseconds_always(self):
        india = timezone(timedelta(hours=5, minutes=30))
        self.assertEqual(timestamp(datetime(2026, 11, 24, 10, 0, tzinfo=india)), "2026-11-24T04:30:00.000000Z")

    def test_parsing_gives_back_what_was_said(self):
        self.assertEqual(Leaf.parse(LEAF_TEXT.encode()), example())

    def test_bytes_in_another_spelling_are_no_leaf(self):
        for spelling in (
            LEAF_TEXT.replace(",", ", ", 1),
            LEAF_TEXT.replace("₹", "\\u20b9"),
            LEAF_TEXT.replace('"v":1', '"v":1,"w":2'),
            LEAF_TEXT.replace('"v":1', '"v":2'),
            LEAF_TEXT.replace('"sid":null,', ""),
            LEAF_TEXT.replace(".000007Z", ".000007+00:00"),
            '{"v":1}',
            "[]",
            "not json",
            "[" * 100_000,
        ):
            with self.subTest(spelling=spelling[-40:]), self.assertRaises(LeafRefused):
                Leaf.parse(spelling.encode())
        with self.assertRaises(LeafRefused):
            Leaf.parse(LEAF_TEXT.encode("latin-1", errors="replace"))

    def test_8192_bytes_are_the_most(self):
        room = 8192 - len(example(data={"x": ""}).encode())
        self.assertEqual(len(example(data={"x": "a" * room}).encode()), 8192)
        with self.assertRaises(LeafRefused):
            example(data={"x": "a" * (room + 1)}).encode()
        with self.assertRaises(LeafRefused):
            example(data={"x": "₹" * (room // 2)}).encode()  # three bytes a sign: bytes count, not letters


class RefusedValues(TestCase):
    """What other languages would print or read differently is not taken."""

    def test_floats_of_any_kind(self):
        for value in (1.0, 0.1, float("nan"), float("inf")):
            with self.subTest(value=value), self.assertRaises(LeafRefused):
                canonical({"a": [value]})

    def test_integers_from_two_to_the_53rd(self):
        self.assertEqual(canonical([2**53 - 1, -(2**53) + 1]), b"[9007199254740991,-9007199254740991]")
        for value in (2**53, -(2**53), 10**30):
            with self.subTest(value=value), self.assertRaises(LeafRefused):
                canonical(value)

    def test_lone_surrogates_in_values(self):
        with self.assertRaises(LeafRefused):
            canonical({"a": "\ud800"})

    def test_names_outside_ascii_or_no_text_at_all(self):
        for key in ("ü", "\ud800", 1, None, True):
            with self.subTest(key=key), self.assertRaises(LeafRefused):
                canonical({key: 1})

    def test_types_json_does_not_have(self):
        for value in (b"x", {1, 2}, datetime.now(UTC), UUID(int=1), object()):
            with self.subTest(type=type(value)), self.assertRaises(LeafRefused):
                canonical([value])

    def test_depth_beyond_sixteen_and_a_structure_inside_itself(self):
        loop: list = []
        loop.append(loop)
        for value in (loop, json.loads("[" * 17 + "]" * 17)):
            with self.assertRaises(LeafRefused):
                canonical(value)

    def test_control_characters_are_escaped_as_the_standard_says(self):
        self.assertEqual(
            canonical('\x00\x08\t\n\x0c\r\x1f"\\\x7f\u2028é').decode(),
            '"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\\x7f\u2028é"',
        )


class Commitments(TestCase):
    """The log binds itself to a personal value without holding it (salted HMAC, a salt a field)."""

    def test_the_vector_computed_with_openssl(self):
        self.assertEqual(commitment(name="address", value="203.0.113.9", salt=SALT), ADDRESS_COMMITMENT)
        by_hand = hmac.new(SALT, b'address\x00"203.0.113.9"', hashlib.sha256).digest()
        self.assertEqual(b64encode(by_hand).decode(), ADDRESS_COMMITMENT)

    def test_name_value_and_salt_open_it(self):
        self.assertTrue(is_opened_by(ADDRESS_COMMITMENT, name="address", text=b'"203.0.113.9"', salt=SALT))

    def test_any_other_name_value_or_salt_does_not(self):
        for other in (
            {"name": "email"},
            {"text": b'"203.0.113.8"'},
            {"text": b'["203.0.113.9"]'},
            {"text": b'"203.0.113.9" '},  # the same value in another spelling
            {"salt": bytes(16)},
        ):
            opening = {"name": "address", "text": b'"203.0.113.9"', "salt": SALT} | other
            with self.subTest(other=other):
                self.assertFalse(is_opened_by(ADDRESS_COMMITMENT, **opening))

    def test_a_short_salt_is_refused(self):
        with self.assertRaises(ValueError):
            commitment(name="address", value="203.0.113.9", salt=b"short")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ascii_name = st.text(st.characters(max_codepoint=127), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ascii_name, inner, max_size=4),
    max_leaves=12,
)


def reordered(value):
    """The same value, every mapping written in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(member) for member in value] if isinstance(value, list) else value


class CanonicalForm(TestCase):
    """One value, one form, whoever writes it down."""

    @given(values)
    def test_it_is_stable_under_the_order_of_names(self, value):
        self.assertEqual(canonical(value), canonical(reordered(value)))

    @given(values)
    def test_it_reads_back_as_the_same_value_and_form(self, value):
        self.assertEqual(json.loads(canonical(value)), value)
        self.assertEqual(canonical(json.loads(canonical(value))), canonical(value))

    @given(st.dictionaries(ascii_name, values, max_size=4))
    def test_a_whole_leaf_reads_back(self, data):
        leaf = example(data=data)
        self.assertEqual(Leaf.parse(leaf.encode()), leaf)
