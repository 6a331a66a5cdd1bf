"""The breaker before the shared cache."""

from unittest import mock

from django.test import SimpleTestCase

from security import breaker


class TheBreaker(SimpleTestCase):
    """Three errors in a row open it; after five seconds one call tries for all."""

    def setUp(self):
        self.now = 100.0
        clock = mock.patch.object(breaker.time, "monotonic", side_effect=lambda: self.now)
        clock.start()
        self.addCleanup(clock.stop)
        self.breaker = breaker.Breaker()

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
