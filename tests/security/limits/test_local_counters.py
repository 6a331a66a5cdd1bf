"""The counters of one process, where there are more clients than it remembers."""

from unittest import mock

from django.test import override_settings

from security.limits import counting, services
from tests.base import ApiTestCase
from tests.factories import asha
from tests.security.limits.test_limits import RATES


class LocalCounters(ApiTestCase):
    """Counters of one process: exact while there is room; where there is none, a limit that is used up is kept."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.counters = counting.LocalCounters(size=4)

    def ask(self, *keys, life=10, limit=3):
        return [self.counters.count([(key, life)], [limit])[0] for key in keys]

    def held(self):
        return len(self.counters._open) + len(self.counters._used_up)

    def test_each_begins_anew_after_its_life(self):
        self.assertEqual(self.ask(*"aaaa") + self.ask("b", life=20), [1, 2, 3, 4, 1])
        self.clock.advance(seconds=11)
        self.assertEqual(self.ask("a") + self.ask("b", life=20), [1, 2])

    def test_they_are_bounded_and_the_idle_go_first(self):
        self.ask(*"abcd", "a", "e")
        self.assertEqual(self.held(), 4)
        self.assertEqual(self.ask("a", "b"), [3, 1])

    def test_strangers_push_no_limit_out_that_is_used_up(self):
        self.ask(*"aaa")
        self.ask(*(f"stranger {number}" for number in range(1000)))
        self.assertEqual(self.ask("a"), [4])
        self.assertEqual(self.held(), 4)

    def test_not_even_one_that_redis_told_of(self):
        self.counters.learn([("a", 10)], [6], [6], share=2)
        self.ask(*(f"stranger {number}" for number in range(1000)))
        self.assertEqual(self.counters.count([("a", 10)], [6], share=2), [4])

    def test_limits_that_are_used_up_leave_room_to_count_who_comes_new(self):
        self.ask(*(stranger for stranger in "abcde" for _ in range(3)))
        self.assertEqual(self.held(), 4)
        self.assertEqual(self.ask("new", "new", "new"), [1, 2, 3])
        self.assertEqual(self.ask("a"), [1])

    def test_what_has_ended_takes_no_room(self):
        self.ask(*(key for key in "abcd" for _ in range(3)))
        self.clock.advance(seconds=61)
        self.ask(*"ef")
        self.assertEqual(self.held(), 2)
        self.assertEqual(self.ask("e"), [2])


@override_settings(RATE_LIMITS=RATES)
class ManyNetworks(ApiTestCase):
    """Whoever is limited stays so, from however many networks others ask meanwhile."""

    def test_a_limit_outlasts_a_crowd(self):
        self.stop_the_clock()
        token = self.log_in(asha())["accessToken"]
        with mock.patch.object(services, "local_counters", counting.LocalCounters(size=20)):
            statuses = [self.me(token).status_code for _ in range(5)]
            for number in range(60):
                self.client.get("/api/auth/me", REMOTE_ADDR=f"192.0.2.{number}")
            statuses.append(self.me(token).status_code)
        self.assertEqual(statuses, [200] * 4 + [429] * 2)
