"""The schedule: a table of plain functions, and the thread that ticks it where there is no PostgreSQL."""

import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

from croniter import croniter
from django.contrib.sessions.models import Session as DjangoSession
from django.db import InterfaceError, transaction
from django.test import TransactionTestCase
from django.utils import timezone

from accounts.staff.cookie_sessions import SessionStore
from koshflow.embedded import EmbeddedSchedule, Ticker
from koshflow.hints import hint
from koshflow.schedule import SCHEDULE, Entry, announce, run_counted
from security.crypto import SubjectKey
from security.machine_lock import MachineLock
from security.outbox import Mail, OutboxMessage, enqueue_mail, message_queued

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TEN_SECONDS = "* * * * * */10"
NIGHTLY = "40 20 * * * 0"


class TheTable(TransactionTestCase):
    """Every line has a name of its own, a cron line of six fields, and a function that may run at any time."""

    def test_names_are_unique(self):
        names = [entry.name for entry in SCHEDULE]
        self.assertEqual(len(names), len(set(names)))

    def test_cron_lines_have_seconds(self):
        for entry in SCHEDULE:
            with self.subTest(entry.name):
                self.assertEqual(len(entry.cron.split()), 6)
                self.assertTrue(croniter.is_valid(entry.cron))

    def test_the_promised_functions_are_bound(self):
        promised = {
            "deliver_due",
            "purge_sessions",
            "purge_counters",
            "seal_audit_log",
            "witness_checkpoint",
            "forward_audit_log",
        }
        self.assertLessEqual(promised, {entry.name for entry in SCHEDULE})

    def test_a_database_that_is_away_costs_a_line_and_not_the_run(self):
        entry = Entry("nothing", NIGHTLY, lambda: None)
        with (
            patch("koshflow.schedule.expect", side_effect=InterfaceError),
            patch("koshflow.schedule.note_run", side_effect=InterfaceError),
            patch("koshflow.hints.defer_now", side_effect=InterfaceError),
            self.assertLogs("koshflow.schedule", "WARNING") as logs,
        ):
            announce([entry])
            run_counted(entry)
            hint("nothing")
        told = [line.msg for line in logs.records]
        self.assertEqual(told, ["schedule_not_announced", "schedule_run_not_noted", "schedule_hint_failed"])

    def test_each_function_runs_twice_on_an_empty_installation(self):
        for entry in SCHEDULE:
            with self.subTest(entry.name):
                entry.run()
                entry.run()

    def test_pages_sessions_that_are_over_are_deleted(self):
        for days in (-1, 1):
            store = SessionStore()
            store["place"] = days
            store.set_expiry(timezone.now() + timedelta(days=days))
            store.save()
        [purge] = [entry for entry in SCHEDULE if entry.name == "purge_cookie_sessions"]
        purge.run()
        [row] = DjangoSession.objects.all()
        self.assertGreater(row.expire_date, timezone.now())


class Unnoted(TestCase):
    """Pure: what the rows say of a run is a matter of tests/monitoring/schedule."""

    def setUp(self):
        patcher = patch("koshflow.schedule.note_run")
        patcher.start()
        self.addCleanup(patcher.stop)


class Ticking(Unnoted):
    """An entry runs when its time has come, once, whatever happened to its earlier slots and its neighbours."""

    def setUp(self):
        super().setUp()
        self.ran = []

    def entry(self, name: str, cron: str = TEN_SECONDS, run=None) -> Entry:
        return Entry(name, cron, run or (lambda: self.ran.append(name)))

    def test_everything_runs_at_the_start(self):
        Ticker([self.entry("a"), self.entry("b", NIGHTLY)]).tick(NOON)
        self.assertEqual(self.ran, ["a", "b"])

    def test_then_each_at_its_own_time(self):
        ticker = Ticker([self.entry("a"), self.entry("b", NIGHTLY)])
        self.assertEqual(ticker.tick(NOON), NOON + timedelta(seconds=10))
        ticker.tick(NOON + timedelta(seconds=9))
        ticker.tick(NOON + timedelta(seconds=10))
        ticker.tick(NOON.replace(hour=20, minute=40))
        self.assertEqual(self.ran, ["a", "b", "a", "a", "b"])

    def test_missed_slots_are_made_up_for_once(self):
        ticker = Ticker([self.entry("a")])
        ticker.tick(NOON)
        ticker.tick(NOON + timedelta(hours=3))
        self.assertEqual(self.ran, ["a", "a"])

    def test_a_clock_that_is_put_back_holds_nothing_up(self):
        ticker = Ticker([self.entry("a"), self.entry("b", NIGHTLY)])
        ticker.tick(NOON)
        early = NOON - timedelta(hours=5, minutes=30)  # a clock of India that was taken for UTC
        self.assertEqual(ticker.tick(early), early + timedelta(seconds=10))
        ticker.tick(early + timedelta(seconds=10))
        self.assertEqual(self.ran, ["a", "b", "a"])

    def test_a_failure_is_logged_and_stops_neither_the_others_nor_the_next_slot(self):
        def fail():
            self.ran.append("bad")
            raise ZeroDivisionError

        ticker = Ticker([self.entry("bad", run=fail), self.entry("good")])
        for seconds in (0, 10):
            with self.assertLogs("koshflow.schedule", "ERROR") as log:
                ticker.tick(NOON + timedelta(seconds=seconds))
            self.assertEqual(log.records[0].entry, "bad")
        self.assertEqual(self.ran, ["bad", "good", "bad", "good"])


class Apart(Unnoted):
    """What waits for strangers holds up nothing else, and is begun again only when it has ended."""

    def test_the_others_go_on_meanwhile(self):
        ran, release = threading.Semaphore(0), threading.Event()
        begun = []

        def wait():
            begun.append(threading.current_thread())
            release.wait(30)

        entries = [Entry("strangers", TEN_SECONDS, wait, is_apart=True), Entry("ours", TEN_SECONDS, ran.release)]
        ticker = Ticker(entries)
        for seconds in (0, 10, 20):
            ticker.tick(NOON + timedelta(seconds=seconds))
            self.assertTrue(ran.acquire(blocking=False))
        self.assertEqual(len(begun), 1)
        release.set()
        begun[0].join(30)
        ticker.tick(NOON + timedelta(seconds=30))
        self.assertEqual(len(begun), 2)
        begun[1].join(30)


class OnOneMachine(Unnoted):
    """One process ticks for each data folder; when it is gone, another takes over."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "schedule.lock"
        self.ticked = threading.Event()

    def started(self) -> EmbeddedSchedule:
        schedule = EmbeddedSchedule(
            lock=MachineLock(self.path), entries=[Entry("a", NIGHTLY, self.ticked.set)], clock=lambda: NOON
        )
        schedule.start()
        self.addCleanup(schedule.stop, timeout_seconds=10)
        return schedule

    def step(self) -> float:
        """One step of a schedule that is no thread; it lets go of the lock at the end of the test."""
        lock = MachineLock(self.path)
        self.addCleanup(lock.release)
        entries = [Entry("a", NIGHTLY, self.ticked.set)]
        return EmbeddedSchedule(lock=lock, entries=entries, clock=lambda: NOON).step()

    def another_process(self) -> subprocess.Popen:
        code = (
            "import sys; from pathlib import Path; from security.machine_lock import MachineLock\n"
            "lock = MachineLock(Path(sys.argv[1])); print(lock.acquire(), flush=True); sys.stdin.read()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(self.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_the_holder_ticks(self):
        self.started()
        self.assertTrue(self.ticked.wait(10))

    def test_a_second_process_does_not_tick(self):
        other = self.another_process()
        self.assertEqual(other.stdout.readline(), "True\n")
        self.assertEqual(self.step(), 10)  # looks again in ten seconds
        self.assertFalse(self.ticked.is_set())

    def test_a_killed_holder_is_followed(self):
        other = self.another_process()
        other.stdout.readline()
        self.step()
        other.kill()
        other.wait()
        self.step()
        self.assertTrue(self.ticked.is_set())

    def test_the_lock_is_free_when_the_thread_has_ended(self):
        schedule = self.started()
        self.assertTrue(self.ticked.wait(10))
        self.assertFalse(MachineLock(self.path).acquire())
        schedule.stop(timeout_seconds=10)
        self.assertTrue(MachineLock(self.path).acquire())

    def test_a_folder_that_cannot_be_written_is_told_of_and_tried_again(self):
        self.path = self.path / "not-there"
        with self.assertLogs("koshflow.schedule", "ERROR"):
            self.assertEqual(self.step(), 10)


class Hint(TransactionTestCase):
    """A queued message is delivered at once, not at the next slot."""

    def test_it_wakes_the_thread(self):
        delivered = threading.Event()
        slots = threading.Semaphore(0)

        def deliver():
            slots.release()
            if OutboxMessage.objects.exists():
                delivered.set()

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        schedule = EmbeddedSchedule(
            lock=MachineLock(Path(folder.name) / "lock"),
            entries=[Entry("deliver_due", NIGHTLY, deliver)],
            clock=lambda: NOON,
        )
        schedule.start()
        self.addCleanup(schedule.stop, timeout_seconds=10)
        message_queued.connect(schedule.deliver_now)
        self.addCleanup(message_queued.disconnect, schedule.deliver_now)
        self.assertTrue(slots.acquire(timeout=10))  # the run at the start found nothing
        with transaction.atomic():
            enqueue_mail(subject=SubjectKey.objects.issue(), to="asha@x.example.in", kind=Mail.PASSWORD_CHANGED)
        self.assertTrue(delivered.wait(10))
