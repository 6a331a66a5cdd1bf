"""What a dead cache may cost: three time-outs, then one every five seconds."""

from unittest import TestCase, mock
from uuid import uuid4

from redis.exceptions import TimeoutError as RedisTimeoutError

from accounts.sessions import revocation
from accounts.sessions.revocation import Breaker, is_known_revoked


class TheBreaker(TestCase):
    """Three errors in a row open it; after five seconds one call tries for all."""

    def setUp(self):
        self.now = 100.0
        clock = mock.patch.object(revocation.time, "monotonic", side_effect=lambda: self.now)
        clock.start()
        self.addCleanup(clock.stop)
        self.breaker = Breaker()

    def failing(self, times):
        for _ in range(times):
            self.breaker.failed()

    def test_two_errors_leave_it_closed(self):
        self.failing(2)
        self.assertFalse(self.breaker.is_open())

    def test_three_open_it(self):
        self.failing(3)
        self.assertTrue(self.breaker.is_open())

    def test_a_success_between_them_begins_anew(self):
        self.failing(2)
        self.breaker.succeeded()
        self.failing(2)
        self.assertFalse(self.breaker.is_open())

    def test_after_five_seconds_one_call_tries_and_the_others_wait(self):
        self.failing(3)
        self.now += 5
        self.assertEqual([self.breaker.is_open() for _ in range(3)], [False, True, True])

    def test_what_it_finds_holds_for_all(self):
        self.failing(3)
        self.now += 5
        self.breaker.is_open()
        self.breaker.succeeded()
        self.assertFalse(self.breaker.is_open())


class AFrozenCache(TestCase):
    """Sessions that end cost the cache's time-out no more often than those that are read."""

    def setUp(self):
        self.cache = mock.Mock()
        self.cache.get.side_effect = self.cache.set_many.side_effect = RedisTimeoutError
        caches = mock.patch.object(revocation, "caches", {"security": self.cache})
        caches.start()
        self.addCleanup(caches.stop)
        self.addCleanup(revocation.breaker.succeeded)

    def test_the_fourth_end_of_a_session_asks_it_no_more(self):
        for _ in range(6):
            revocation._announce([uuid4()])
        self.assertEqual(self.cache.set_many.call_count, 3)

    def test_errors_of_reads_and_of_ends_count_together(self):
        self.assertFalse(is_known_revoked(uuid4()))
        revocation._announce([uuid4()])
        self.assertFalse(is_known_revoked(uuid4()))
        revocation._announce([uuid4()])
        self.assertEqual((self.cache.get.call_count, self.cache.set_many.call_count), (2, 1))
