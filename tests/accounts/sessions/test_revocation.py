"""What a dead cache may cost: three time-outs, then one every five seconds."""

from unittest import TestCase, mock
from uuid import uuid4

from redis.exceptions import TimeoutError as RedisTimeoutError

from accounts.sessions import revocation
from accounts.sessions.revocation import is_known_revoked


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
