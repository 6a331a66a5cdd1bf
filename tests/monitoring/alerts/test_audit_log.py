"""The alerts that the audit log was not on, and that a SIEM is not told."""

from datetime import timedelta
from unittest.mock import patch

from django.utils import timezone

from monitoring.alerts.gauges import GAUGES
from security.audit import Action
from security.siem import forward_sealed
from security.tlog import beat, seal_pending
from tests.monitoring.alerts.cases import AlertCase, named
from tests.security.siem.case import ForwardCase


class Heartbeats(AlertCase):
    """One is due every 15 minutes; more than 30 without one are told, also when they are over."""

    at_rest = ("audit_seal_lag_seconds", "outbox_oldest_seconds")
    rules = named("audit_silent")

    def minutes(self, count, *, every=1, is_beating=True):
        """Time in which the schedule beats each quarter of an hour, or does not."""
        for minute in range(0, count, every):
            if is_beating and minute % 15 == 0:
                beat()
            self.step(60 * every)

    def test_a_log_that_is_on_is_silent(self):
        self.minutes(120, every=5)
        self.assertEqual(self.firing(), set())

    def test_one_missed_slot_is_nothing(self):
        self.minutes(16)
        self.minutes(13, is_beating=False)
        beat()
        self.minutes(2, is_beating=False)
        self.assertEqual(self.firing(), set())

    def test_two_are_told(self):
        self.minutes(16)
        self.minutes(14, is_beating=False)
        self.assertEqual(self.firing(), set())
        self.minutes(18, is_beating=False)
        self.assertEqual(self.firing(), {"audit_silent"})

    def test_a_gap_in_which_the_evaluator_slept_too_is_told_afterwards(self):
        self.minutes(16)
        self.step(7200)
        beat()
        self.step(60)
        self.assertIn("audit_silent", self.firing())
        self.minutes(75, every=5)
        self.assertEqual(self.status("audit_silent"), "resolved")

    def test_a_log_that_is_older_than_heartbeats(self):
        self.event(Action.KEYS_CREATED)
        self.step(3600)
        beat()
        self.step(60)
        self.assertEqual(self.firing(), set())


class Forwarding(ForwardCase):
    """How old the oldest event is that the receiver has not got."""

    def lag(self, minutes):
        return GAUGES["audit_forward_lag_seconds"](timezone.now() + timedelta(minutes=minutes))

    def test_what_waits_grows_old_and_what_was_sent_does_not(self):
        self.assertGreater(self.lag(16), 900)
        forward_sealed()
        self.assertEqual(self.lag(16), 0)
        self.act()
        seal_pending()
        self.assertGreater(self.lag(16), 900)
        self.assertLess(self.lag(1), 120)

    def test_without_a_receiver_there_is_nothing_to_know(self):
        with self.settings(AUDIT_SYSLOG=""):
            self.assertIsNone(self.lag(16))


class NotForwarded(AlertCase):
    """The rule over it, on a log that nobody takes."""

    rules = named("audit_not_forwarded")

    def test_it_fires_after_a_quarter_of_an_hour(self):
        late = {"audit_forward_lag_seconds": lambda now: (now - self.begun).total_seconds()}
        self.begun = self.now
        with patch.dict("monitoring.alerts.sources.GAUGES", late):
            self.steps(840, every=60)
            self.assertEqual(self.firing(), set())
            self.steps(180, every=60)
            self.assertEqual(self.firing(), {"audit_not_forwarded"})


class Reads(AlertCase):
    """Whoever copies what they see opens more pages than anybody who helps people."""

    rules = named("personal_data_reads")

    def look(self, reader, *, times=1, action=Action.USER_VIEWED):
        for _ in range(times):
            self.event(action, actor=reader, target=self.a_person())
        self.step(60)

    def test_many_by_one_are_told_and_as_many_by_several_are_not(self):
        omar, ivy = self.a_person(), self.a_person()
        self.look(omar, times=50)
        self.look(ivy, times=50)
        self.assertEqual(self.firing(), set())
        self.look(omar, action=Action.AUDIT_EVENT_DISCLOSED)
        self.assertEqual(self.firing(), {"personal_data_reads"})
