"""Selectors: what is kept, for how long, for whom, and what a change does to it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch
from uuid import uuid4

import time_machine
from django.core.cache import caches
from django.db import connections, transaction
from django.test import TransactionTestCase
from redis.exceptions import ConnectionError as RedisGone

from security.breaker import breaker
from security.selectors import PublicSelector
from security.selectors import local as local_module
from security.selectors.local import local
from security.selectors.shared import shared
from tests.security.selectors.asked import Source, a_name, another_process, anything, listening


class Kept(TransactionTestCase):
    """An answer is read once, and then given from the process, or from what all processes share."""

    def setUp(self):
        self.source = Source({"size": 3, "note": "₹"})
        self.selector = self.source.selector()

    def test_it_is_read_once(self):
        with listening() as (results, _):
            answers = [self.selector.read() for _ in range(3)]
        self.assertEqual((answers, self.source.reads), ([self.source.value] * 3, 1))
        self.assertEqual(results, ["loaded", "local", "local"])

    def test_another_process_takes_it_from_what_is_shared(self):
        self.selector.read()
        another_process()
        with listening() as (results, _):
            self.assertEqual(self.selector.read(), self.source.value)
        self.assertEqual((results, self.source.reads), (["shared"], 1))

    def test_who_changes_an_answer_changes_only_their_own(self):
        self.selector.read()["size"] = 99
        self.assertEqual(self.selector.read()["size"], 3)

    def test_nothing_but_json_is_kept(self):
        for value in (uuid4(), {1, 2}, float("nan"), object()):
            self.source.value = value
            with self.assertRaises((TypeError, ValueError)):
                self.selector.read()

    def test_none_is_an_answer(self):
        self.source.value = None
        self.assertEqual(([self.selector.read(), self.selector.read()], self.source.reads), ([None, None], 1))

    def test_what_fails_is_not_kept_and_holds_up_nobody(self):
        with patch.object(Source, "__call__", side_effect=ZeroDivisionError):
            broken = PublicSelector(a_name(), seconds=60, load=lambda: Source.__call__(self.source), is_answer=anything)
            for _ in range(2):
                with self.assertRaises(ZeroDivisionError):
                    broken.read()
        self.assertEqual(broken.read(), self.source.value)

    def test_a_name_is_given_once(self):
        with self.assertRaises(ValueError):
            PublicSelector(self.selector.name, seconds=1, load=self.source, is_answer=anything)

    def test_it_ends_a_tenth_early_at_most_and_then_is_stale_for_as_long(self):
        with time_machine.travel(1_800_000_000, tick=False) as clock, listening() as (results, _):
            for after, expected in ((0, "loaded"), (53, "shared"), (8, "loaded"), (53, "shared")):
                clock.shift(after)
                another_process()
                self.selector.read()
                self.assertEqual(results[-1], expected)


class Changes(TransactionTestCase):
    """After a change is committed nobody is given what was read before it; what is not committed changes nothing."""

    def setUp(self):
        self.source = Source(1)
        self.selector = self.source.selector()
        self.assertEqual(self.selector.read(), 1)
        self.source.value = 2

    def test_this_process_and_others_read_anew(self):
        self.selector.changed()
        self.assertEqual(self.selector.read(), 2)
        self.source.value = 3
        self.selector.changed()
        another_process()
        self.assertEqual(self.selector.read(), 3)

    def test_a_process_that_nobody_told_believes_its_own_for_a_second(self):
        shared.renew(self.selector.name, self.selector._key("public"))  # what another process does
        self.assertEqual(self.selector.read(), 1)
        with patch.object(local, "_clock", lambda: local_module.monotonic() + local_module.LIFE_SECONDS):
            self.assertEqual(self.selector.read(), 2)

    def test_it_waits_for_the_commit(self):
        with transaction.atomic():
            self.selector.changed()
            with ThreadPoolExecutor(1) as elsewhere:
                self.assertEqual(elsewhere.submit(self.selector.read).result(), 1)
        self.assertEqual(self.selector.read(), 2)

    def test_what_is_rolled_back_changes_nothing(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            self.selector.changed()
            raise ZeroDivisionError
        self.assertEqual(self.selector.read(), 1)

    def test_what_a_transaction_sees_is_nobody_elses(self):
        with transaction.atomic(), listening() as (results, _):
            self.assertEqual((self.selector.read(), results), (2, ["direct"]))
        self.assertEqual(self.selector.read(), 1)

    def test_a_reading_that_began_before_it_is_not_believed_after(self):
        self.selector.changed()
        self.source.gate.clear()
        self.source.asked.clear()
        with ThreadPoolExecutor(1) as elsewhere:
            old = elsewhere.submit(self.selector.read)  # reads 2, and is slow to say so
            self.assertTrue(self.source.asked.wait(10))
            self.source.value = 3
            self.selector.changed()
            self.source.gate.set()
            old.result()
        self.assertEqual(self.selector.read(), 3)
        another_process()
        self.assertEqual(self.selector.read(), 3)

    def test_a_version_that_was_lost_makes_nothing_old_true_again(self):
        caches["default"].delete(f"{self.selector._key('public')}:version")
        another_process()
        self.assertEqual(self.selector.read(), 2)


class Crowd(TransactionTestCase):
    """Two hundred who ask for what nobody has are one reading."""

    def crowd(self, selector, source, *, answered_before=0):
        """What each got. The source answers when all have asked, and so many have their answer already."""
        source.gate.clear()
        barrier = threading.Barrier(200)
        have_asked, have_answer = threading.Semaphore(0), threading.Semaphore(0)
        take = local.take

        def counted_take(key):
            taken = take(key)
            have_asked.release()
            return taken

        def ask(_):
            barrier.wait(30)
            try:
                return selector.read()
            finally:
                have_answer.release()
                connections.close_all()

        with ThreadPoolExecutor(200) as pool, patch.object(local, "take", counted_take):
            asked = pool.map(ask, range(200))
            for semaphore, times in ((have_asked, 200), (have_answer, answered_before)):
                # A source that nobody lets answer does so by itself, and then too few were answered before.
                all(semaphore.acquire(timeout=30) for _ in range(times))
            source.gate.set()
            return list(asked)

    def test_on_nothing(self):
        source = Source(7)
        self.assertEqual(self.crowd(source.selector(), source), [7] * 200)
        self.assertEqual(source.reads, 1)

    def test_on_expiry_all_but_one_get_what_is_stale(self):
        source = Source(7)
        selector = source.selector(seconds=60)
        with time_machine.travel(1_800_000_000, tick=False) as clock:
            selector.read()
            clock.shift(61)
            another_process()
            source.value = 8
            answers = self.crowd(selector, source, answered_before=199)
        self.assertEqual((sorted(answers), source.reads), ([7] * 199 + [8], 2))
        self.assertEqual(selector.read(), 8)

    def test_while_redis_is_away_too(self):
        source = Source(7)
        with patch.object(breaker, "is_open", lambda: True):
            self.assertEqual(self.crowd(source.selector(), source), [7] * 200)
        self.assertEqual(source.reads, 1)

    def test_another_process_that_reads_is_waited_for_and_not_for_ever(self):
        source = Source(7)
        selector = source.selector()
        shared.lock(selector.name, selector._key("public"))
        with patch("security.selectors.selector.sleep") as naps, listening() as (results, _):
            self.assertEqual(selector.read(), 7)
        self.assertEqual((results, naps.call_count), (["loaded"], 50))

    def test_what_another_process_read_meanwhile_is_taken(self):
        source = Source(7)
        selector = source.selector()
        key = selector._key("public")
        shared.lock(selector.name, key)

        def read_elsewhere(_seconds):
            version = shared.see(selector.name, key, anything).version
            shared.keep(selector.name, key, "5", version=version, seconds=60)

        with patch("security.selectors.selector.sleep", read_elsewhere), listening() as (results, _):
            self.assertEqual((selector.read(), results, source.reads), (5, ["shared"], 0))


class RedisAway(TransactionTestCase):
    """Redis away costs a reading, never an answer; a change of that time is told before anything is believed."""

    def setUp(self):
        self.source = Source(1)
        self.selector = self.source.selector()

    def away(self):
        return patch.multiple(caches["default"], **dict.fromkeys(("get_many", "get", "add", "set", "delete"), _gone))

    def test_answers_go_on(self):
        with self.away(), listening() as (results, errors), self.assertLogs("security.selectors", "WARNING") as logs:
            for value in (1, 2, 3, 4, 5):
                self.source.value = value
                another_process()
                self.assertEqual(self.selector.read(), value)
        self.assertEqual(results, ["direct"] * 5)
        # Then the breaker is open, and nobody waits for it. Each counts once, under the name of who asked.
        self.assertEqual(errors, [self.selector.name] * 3)
        told = [(line.msg, line.cache) for line in logs.records]
        self.assertEqual(told, [("selector_cache_unavailable", self.selector.name)] * 3)

    def test_it_goes_away_while_the_answer_is_read(self):
        with patch.object(caches["default"], "set", _gone), listening() as (results, errors):
            self.assertEqual(self.selector.read(), 1)
        self.assertEqual((results, errors), (["direct"], [self.selector.name]))

    def test_a_change_that_could_not_be_told_is_told_first(self):
        self.selector.read()
        with self.away():
            self.source.value = 2
            self.selector.changed()
            self.assertEqual(self.selector.read(), 2)
        breaker.succeeded()
        another_process()
        with listening() as (results, _):
            self.assertEqual((self.selector.read(), results), (2, ["loaded"]))


def _gone(*_args, **_options):
    raise RedisGone("away")
