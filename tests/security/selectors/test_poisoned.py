"""What none of us wrote into Redis."""

from contextlib import suppress
from unittest.mock import patch

import pytest
from django.core.cache import caches
from django.test import TransactionTestCase

from accounts.identity.head_count import head_count
from security.breaker import breaker
from security.selectors import PublicSelector
from security.selectors.shared import shared
from security.tlog import signed_tree
from tests.security.selectors.asked import Source, a_name, another_process, listening


class Poisoned(TransactionTestCase):
    """What none of us wrote into Redis is as if it were not there: deleted, counted as a failure, and read anew."""

    def setUp(self):
        self.source = Source(3)
        self.selector = PublicSelector(a_name(), seconds=60, load=self.source, is_answer=lambda value: value == 3)
        self.entry, self.version = (f"{self.selector._key('public')}:{part}" for part in ("entry", "version"))

    def heals(self):
        another_process()
        self.source.reads = 0
        with listening() as (results, errors):
            with self.assertLogs("security.selectors", "WARNING") as logs:
                self.assertEqual(self.selector.read(), 3)
            self.assertEqual([line.msg for line in logs.records], ["selector_cache_unreadable"])
            self.assertEqual((results, errors, self.source.reads), (["loaded"], [self.selector.name], 1))
            another_process()
            self.assertEqual(self.selector.read(), 3)
        self.assertEqual((results, errors), (["loaded", "shared"], [self.selector.name]))
        self.assertFalse(breaker.is_open())

    def test_an_entry_of_another_form(self):
        self.selector.read()
        good = caches["default"].get(self.entry)
        for poison in (
            5, "text", [], {}, True, *({key: good[key] for key in good if key != gone} for gone in good),
            *({**good, "text": text} for text in (None, 3, ["3"], "", "{", "4", "NaN", "[" * 99_999, "1" * 5000)),
            *({**good, "until": until} for until in (None, "soon", [], True)),
        ):  # fmt: skip
            with self.subTest(str(poison)[:60]):
                version = caches["default"].get(self.version)
                is_ours = isinstance(poison, dict) and "version" in poison
                caches["default"].set(self.entry, {**poison, "version": version} if is_ours else poison)
                self.heals()

    def test_a_version_of_another_form(self):
        for poison in (5, True, [], {"a": 1}, "", "\ud800", "0123456789abcdeg", "0" * 17):
            with self.subTest(ascii(poison)):
                self.selector.read()
                caches["default"].set(self.version, poison)
                self.heals()

    @pytest.mark.real
    def test_bytes_that_are_nothing_of_ours(self):
        redis = caches["default"].client.get_client()
        for key in (self.entry, self.version):
            for raw in (b"\x80", b"{", b"", b"5", b"[" * 100_000, b"\xff\xfe"):
                with self.subTest(key, raw=raw[:5]):
                    self.selector.read()
                    redis.set(caches["default"].make_key(key), raw)
                    self.heals()

    @pytest.mark.real
    def test_a_list_under_a_name_of_ours(self):
        redis = caches["default"].client.get_client()
        name = caches["default"].make_key(self.version)
        redis.delete(name)
        redis.rpush(name, "1")
        self.heals()

    def test_who_writes_it_again_and_again_gains_a_reading_each_time(self):
        with patch.object(shared, "_look", side_effect=ValueError), listening() as (results, errors):
            self.assertEqual((self.selector.read(), results, len(errors)), (3, ["direct"], 2))

    def test_each_selector_of_ours_knows_its_form(self):
        for is_answer, good, bad in (
            (head_count._is_answer, [0, 2_000], [None, -1, True, 1.5, "1", [], {}, 2**63]),
            (
                signed_tree._is_answer,
                [None, {"size": 3, "note": "n"}],
                [0, "", [], {}, {"size": 3}, {"size": "3", "note": ""}, {"size": 2**63, "note": ""},
                 {"size": -1, "note": ""}, {"size": 3, "note": None}, {"size": 3, "note": "", "more": 1}],
            ),
        ):  # fmt: skip
            for value in good:
                self.assertTrue(is_answer(value), value)
            for value in bad:
                with self.subTest(value), suppress(KeyError, TypeError):
                    self.assertFalse(is_answer(value))
