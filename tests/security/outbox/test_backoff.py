"""When a failed delivery is tried again."""

from datetime import UTC, datetime, timedelta
from unittest import TestCase

import pytest

from security.outbox.backoff import MAX_ATTEMPTS, is_given_up, wait_after

pytestmark = pytest.mark.embedded  # no store is asked

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class BackOff(TestCase):
    """5 s, doubling to 30 minutes, a fifth of it left to chance; given up after 24 hours."""

    def test_the_wait_doubles_up_to_half_an_hour(self):
        waits = [wait_after(attempts, chance=0).total_seconds() for attempts in range(1, 13)]
        self.assertEqual(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800])

    def test_chance_only_shortens_it_by_up_to_a_fifth(self):
        self.assertEqual(wait_after(1, chance=1), timedelta(seconds=4))
        self.assertEqual(wait_after(50, chance=1), timedelta(minutes=24))

    def test_a_huge_count_does_not_overflow(self):
        self.assertEqual(wait_after(100_000, chance=0), timedelta(minutes=30))

    def test_it_is_given_up_after_a_day_and_not_before(self):
        day = timedelta(hours=24)
        self.assertFalse(is_given_up(created_at=NOON, attempts=60, now=NOON + day - timedelta(seconds=1)))
        self.assertTrue(is_given_up(created_at=NOON, attempts=1, now=NOON + day))

    def test_a_day_of_waits_stays_below_the_count_that_means_a_crash_in_each(self):
        total, attempts = timedelta(), 0
        while total < timedelta(hours=24):
            attempts += 1
            total += wait_after(attempts, chance=1)
        self.assertLess(attempts, MAX_ATTEMPTS)
