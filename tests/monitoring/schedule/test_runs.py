"""Each function's last run is a row: who runs it writes it down, and what is missed is seen."""

import re
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from django.db import OperationalError, connections
from django.test import TransactionTestCase
from django.utils import timezone

from koshflow.embedded import Ticker
from koshflow.schedule import SCHEDULE, Entry, announce, run_counted
from monitoring.alerts.sources import DatabaseSource
from monitoring.metrics.exposition import Snapshot
from monitoring.schedule import ScheduleRun, Slot, expect, is_overdue, note_run, overdue
from monitoring.schedule.showing import watcher

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TEN_SECONDS = "* * * * * */10"


def ran(name: str, at: datetime, *, interval: int = 10, fault: str = "") -> ScheduleRun:
    slot = Slot(name, next_at=at + timedelta(seconds=interval), interval_seconds=interval)
    note_run(slot, started_at=at, ended_at=at, seconds=0.25, fault=fault)
    return ScheduleRun.objects.get(pk=name)


class WrittenDown(TransactionTestCase):
    """Start, end, duration, outcome and the next slot, by whoever runs the table."""

    def test_the_thread_in_the_server_writes_each_run(self):
        def fail():
            raise ZeroDivisionError("asha@lotus.example.in")

        before = timezone.now()
        with self.assertLogs("koshflow.schedule", "ERROR"):
            Ticker([Entry("good", TEN_SECONDS, lambda: None), Entry("bad", TEN_SECONDS, fail)]).tick(before)
        good, bad = (ScheduleRun.objects.get(pk=name) for name in ("good", "bad"))
        self.assertEqual((good.outcome, good.fault, good.failures_in_row), ("success", "", 0))
        self.assertEqual((bad.outcome, bad.fault, bad.failures_in_row), ("failed", "ZeroDivisionError", 1))
        self.assertTrue(before <= good.started_at <= good.ended_at <= good.next_at)
        self.assertEqual((good.interval_seconds, bad.succeeded_at), (10, None))
        self.assertGreaterEqual(good.duration_ms, 0)

    def test_failures_are_counted_until_one_does_not_fail(self):
        for times in (1, 2, 3):
            self.assertEqual(ran("a", AT, fault="OSError").failures_in_row, times)
        later = AT + timedelta(seconds=10)
        run = ran("a", later)
        self.assertEqual((run.failures_in_row, run.fault, run.succeeded_at), (0, "", later))
        self.assertEqual(ran("a", later + timedelta(seconds=10), fault="OSError").succeeded_at, later)

    def test_a_run_is_one_statement_once_its_row_is_there(self):
        ran("a", AT)
        with self.assertNumQueries(1):
            note_run(Slot("a", AT, 10), started_at=AT, ended_at=AT, seconds=0.1)

    def test_a_database_that_takes_no_row_does_not_fail_what_ran(self):
        done = []
        with (
            patch("koshflow.schedule.note_run", side_effect=OperationalError),
            self.assertLogs("koshflow.schedule", "WARNING") as log,
        ):
            run_counted(Entry("a", TEN_SECONDS, lambda: done.append(1)))
        self.assertEqual((done, log.records[0].entry), ([1], "a"))


class Missed(TransactionTestCase):
    """More than two intervals late is overdue, a minute at least; so is what never ran."""

    def test_two_intervals_and_a_minute_at_least(self):
        for interval, late, is_it in ((10, 60, False), (10, 61, True), (3600, 7200, False), (3600, 7201, True)):
            with self.subTest(interval=interval, late=late):
                run = ran("a", AT - timedelta(seconds=interval), interval=interval)
                self.assertEqual(is_overdue(run, AT + timedelta(seconds=late)), is_it)

    def test_every_function_of_the_table_is_expected_before_it_ever_ran(self):
        ran("a function of an older release", AT)
        announce()
        names = set(ScheduleRun.objects.values_list("name", flat=True))
        self.assertEqual(names, {entry.name for entry in SCHEDULE})
        self.assertEqual(overdue(timezone.now()), [])
        self.assertEqual(len(overdue(timezone.now() + timedelta(days=30))), len(SCHEDULE))

    def test_a_start_hides_nothing_that_was_missed_before(self):
        ran("a", AT)
        expect([Slot("a", AT + timedelta(days=1), 10)])
        self.assertEqual([run.name for run in overdue(AT + timedelta(hours=1))], ["a"])

    def test_the_rule_of_the_alert_is_fed(self):
        ran("a", AT)
        ran("b", AT + timedelta(hours=1))
        self.assertEqual(DatabaseSource(AT + timedelta(hours=1)).gauge("schedule_overdue"), 1.0)

    def test_metrics_show_each_function(self):
        watcher.forget()
        self.addCleanup(watcher.forget)
        self.addCleanup(connections.close_all)
        ran("a", AT)
        text = Snapshot().text()
        [success] = re.findall(r'kf_schedule_last_success_timestamp_seconds{entry="a"} (.+)', text)
        self.assertEqual(float(success), AT.timestamp())
        self.assertIn('kf_schedule_last_duration_seconds{entry="a"} 0.25', text)
        self.assertIn('kf_schedule_failures_in_row{entry="a"} 0.0', text)
