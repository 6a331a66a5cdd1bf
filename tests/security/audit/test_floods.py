"""Windows: the first of a kind is told at once, those that follow within the minute are counted."""

import threading
from unittest import TestCase

from security.audit.floods import _REMEMBERED, WINDOW_SECONDS, Windows
from tests.security.audit.minutes import Minutes

ASHA, CHITRA = "203.0.113.7", "198.51.100.9"


class WindowsTestCase(TestCase):
    """A monotonic clock that is moved by hand."""

    def setUp(self):
        self.minutes = Minutes(self)
        self.windows = Windows()

    def knock(self, times=1, client=ASHA, kind="k"):
        return [self.windows.repeats_to_tell(client, kind) for _ in range(times)]


class Repeats(WindowsTestCase):
    """One event a minute, and the next one says how many it stands for."""

    def test_the_first_is_told_and_the_rest_of_the_minute_is_not(self):
        self.assertEqual(self.knock(4), [0, None, None, None])

    def test_the_next_event_tells_how_many_were_not_told(self):
        self.knock(4)
        self.minutes.pass_one()
        self.assertEqual(self.knock(2), [3, None])
        self.minutes.pass_one()
        self.assertEqual(self.knock(), [1])
        self.minutes.pass_one()
        self.assertEqual(self.knock(), [0])

    def test_repeats_do_not_make_the_window_longer(self):
        self.knock()
        self.minutes.now += WINDOW_SECONDS - 1
        self.knock()
        self.minutes.now += 1
        self.assertEqual(self.knock(), [1])

    def test_another_client_and_another_kind_have_windows_of_their_own(self):
        self.knock(3)
        self.assertEqual(self.knock(client=CHITRA), [0])
        self.assertEqual(self.knock(kind="other"), [0])

    def test_is_first_counts_like_any_other(self):
        told = [self.windows.is_first(ASHA, "k") for _ in range(3)]
        self.assertEqual(told, [True, False, False])
        self.minutes.pass_one()
        self.assertEqual(self.knock(), [2])


class Bounds(WindowsTestCase):
    """Memory has an end: the oldest windows are forgotten first."""

    def test_what_is_forgotten_is_told_anew(self):
        self.knock(2)
        for number in range(_REMEMBERED):
            self.knock(kind=f"k{number}")
        self.assertEqual(self.knock(), [0])
        self.assertEqual(self.knock(kind=f"k{_REMEMBERED - 1}"), [None])

    def test_a_subscriber_of_ipv6_is_one_client_in_all_its_addresses(self):
        self.assertEqual(self.knock(client="2001:db8:1:2::1"), [0])
        self.assertEqual(self.knock(client="2001:db8:1:2:ffff::9"), [None])


class Unwritten(WindowsTestCase):
    """A window stands for an event: where that could not be written, the next refusal is told of in its place."""

    def test_the_next_is_told_and_counts_those_before(self):
        self.knock(3)
        self.windows.settle()
        self.minutes.pass_one()
        self.knock()
        self.windows.reopen()
        self.assertEqual(self.knock(2), [3, None])

    def test_what_others_were_told_of_stays_told(self):
        self.knock(client=CHITRA)
        self.knock()
        thread = threading.Thread(target=self.windows.reopen)
        thread.start()
        thread.join()
        self.assertEqual(self.knock() + self.knock(client=CHITRA), [None, None])
