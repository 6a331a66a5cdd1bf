"""What is told past the database: that it is away; and past us: that nobody evaluates any more."""

import tempfile
from datetime import timedelta
from pathlib import Path
from unittest import TestCase

import pytest
from django.test import override_settings

from monitoring.alerts import OutageWatch, ping_watcher
from monitoring.alerts.outage import RULE
from tests.monitoring.alerts.cases import AlertCase
from tests.monitoring.channels.receiver import Receiver, channels


class Outage(TestCase):
    """Thirty seconds without the database are told once a host, and so is its end."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        data = override_settings(DATA_DIR=Path(folder.name))
        data.enable()
        self.addCleanup(data.disable)
        self.seconds = 0.0

    def watch(self):
        return OutageWatch(clock=lambda: self.seconds)

    def flush(self, *watches, is_taken, times=1):
        for _ in range(times):
            self.seconds += 5
            for watch in watches:
                watch(is_taken)

    def types(self, receiver):
        return [got.document["type"] for got in receiver.got]

    def alerts(self, receiver):
        return [got.document["data"]["alerts"][0] for got in receiver.got]

    def test_it_is_told_after_thirty_seconds_and_over_at_once(self):
        watch = self.watch()
        with Receiver() as receiver, channels(receiver.url, "webhook"):
            self.flush(watch, is_taken=False, times=6)
            self.assertEqual(receiver.got, [])
            with self.assertLogs("monitoring.alerts", "ERROR") as log:
                self.flush(watch, is_taken=False, times=60)
            self.assertEqual([record.getMessage() for record in log.records], ["database_unreachable"])
            self.assertEqual(self.types(receiver), ["alert.firing"])
            self.flush(watch, is_taken=True, times=3)
        self.assertEqual(self.types(receiver), ["alert.firing", "alert.resolved"])
        alert, over = self.alerts(receiver)
        self.assertEqual((alert["rule"], alert["severity"]), (RULE.name, "critical"))
        self.assertEqual((alert["value"], over["value"]), (30, 0))  # the seconds that it has been away

    def test_a_short_pause_is_nothing(self):
        watch = self.watch()
        with Receiver() as receiver, channels(receiver.url, "webhook"):
            for _ in range(10):
                self.flush(watch, is_taken=False, times=5)
                self.flush(watch, is_taken=True)
        self.assertEqual(receiver.got, [])

    def test_two_processes_of_a_host_tell_once(self):
        first, second = self.watch(), self.watch()
        with Receiver() as receiver, channels(receiver.url, "webhook"):
            self.flush(first, second, is_taken=False, times=20)
            self.flush(first, second, is_taken=True, times=2)
            self.assertEqual(self.types(receiver), ["alert.firing", "alert.resolved"])
            self.flush(second, is_taken=False, times=8)  # the lock is free again
        self.assertEqual(len(receiver.got), 3)

    def test_a_receiver_that_was_down_is_tried_each_minute(self):
        watch = self.watch()
        with Receiver(status=500) as receiver, channels(receiver.url, "webhook"):
            with self.assertLogs("monitoring.alerts", "WARNING") as log:
                self.flush(watch, is_taken=False, times=7)
            self.assertEqual(log.records[-1].getMessage(), "alert_past_outbox_failed")
            self.flush(watch, is_taken=False, times=11)
            self.assertEqual(len(receiver.got), 1)
            receiver.status = 200
            self.flush(watch, is_taken=False, times=10)
        self.assertEqual(len(receiver.got), 2)

    def test_who_does_not_take_the_end_is_asked_again_ever_later(self):
        watch = self.watch()
        with Receiver() as receiver, channels(receiver.url, "webhook"):
            self.flush(watch, is_taken=False, times=10)
            receiver.status = 500
            tried = []
            for flushes in range(1, 12 * 60):  # an hour
                before = len(receiver.got)
                self.flush(watch, is_taken=True)
                tried += [5 * (flushes - 1)] * (len(receiver.got) - before)
            self.assertEqual(tried, [0, 60, 180, 420, 900, 1860])
            receiver.status = 200
            self.flush(watch, is_taken=True, times=3600)
            self.assertEqual(len(receiver.got), 8)
            self.assertEqual(len({alert["resolvedAt"] for alert in self.alerts(receiver)[1:]}), 1)

    def test_one_that_is_away_again_before_its_end_was_heard_stays_the_same_alert(self):
        watch = self.watch()
        with Receiver() as receiver, channels(receiver.url, "webhook"):
            self.flush(watch, is_taken=False, times=10)
            receiver.status = 500
            self.flush(watch, is_taken=True, times=3)
            receiver.status = 200
            self.flush(watch, is_taken=False, times=20)
            self.assertEqual(self.types(receiver), ["alert.firing", "alert.resolved"])  # which was refused
            self.flush(watch, is_taken=True, times=2)
        self.assertEqual(self.types(receiver), ["alert.firing", "alert.resolved", "alert.resolved"])

    def test_switched_off_it_says_nothing(self):
        watch = self.watch()
        with Receiver() as receiver, channels(receiver.url, "webhook"), override_settings(ALERTS=False):
            self.flush(watch, is_taken=False, times=20)
        self.assertEqual(receiver.got, [])


Outage.pytestmark = [pytest.mark.embedded]  # no store is asked


class Heartbeat(AlertCase):
    """The watcher outside hears of us while the rules are evaluated, and not a moment longer."""

    def beating(self, receiver):
        return override_settings(ALERT_HEARTBEAT_URL=receiver.url, ALERT_PRIVATE_NETWORKS=["127.0.0.0/8"])

    def test_it_is_asked_while_the_evaluator_lives(self):
        with Receiver() as receiver, self.beating(receiver):
            self.step()
            self.assertTrue(ping_watcher())
        self.assertEqual([got.path for got in receiver.got], ["/hook?key=url-secret"])

    def test_it_is_not_when_the_evaluator_stands_still(self):
        with Receiver() as receiver, self.beating(receiver):
            with self.assertLogs("monitoring.alerts", "ERROR") as never:
                self.assertFalse(ping_watcher())
            self.step()
            self.clock.shift(timedelta(seconds=91))
            with self.assertLogs("monitoring.alerts", "ERROR") as late:
                self.assertFalse(ping_watcher())
            self.clock.shift(-timedelta(hours=1))
            with self.assertLogs("monitoring.alerts", "ERROR") as ahead:
                self.assertFalse(ping_watcher())
        for log in (never, late, ahead):
            self.assertEqual([record.getMessage() for record in log.records], ["alert_evaluator_silent"])
        self.assertEqual(receiver.got, [])

    def test_a_watcher_that_is_away_is_logged_and_its_url_is_not(self):
        self.step()
        warned = self.assertLogs("monitoring.alerts", "WARNING")
        with Receiver(status=500) as receiver, self.beating(receiver), warned as log:
            self.assertFalse(ping_watcher())
        with (
            override_settings(ALERT_HEARTBEAT_URL=receiver.url),
            self.assertLogs("monitoring.alerts", "WARNING") as more,
        ):
            self.assertFalse(ping_watcher())
        self.assertEqual([record.getMessage() for record in log.records], ["alert_heartbeat_refused"])
        self.assertEqual([record.getMessage() for record in more.records], ["alert_heartbeat_failed"])
        self.assertNotIn("url-secret", str([vars(record) for record in (*log.records, *more.records)]))

    def test_without_a_url_nobody_is_asked(self):
        self.assertFalse(ping_watcher())
