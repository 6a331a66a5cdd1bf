"""Promises of the watcher: one run at a time, its answer kept for a while, and nobody waits past the deadline."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import monotonic
from unittest import TestCase
from unittest.mock import patch

import pytest

import monitoring.health.watcher as watcher_module
from monitoring.health.readings import Reading, Status
from monitoring.health.watcher import BAD_STANDS_SECONDS, FAIL_TTL_SECONDS, TTL_SECONDS, Watcher

pytestmark = pytest.mark.embedded  # no store is asked

NAME = "database:responseTime"


class FakeProbe:
    """Answers `status`; while frozen it hangs as a stopped database does, until thawed."""

    def __init__(self) -> None:
        self.runs = 0
        self.status = Status.PASS
        self.error: Exception | None = None
        self.was_asked = threading.Event()
        self._thawed = threading.Event()
        self._thawed.set()

    def freeze(self) -> None:
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()
        for thread in probe_threads():
            thread.join(timeout=10)

    def __call__(self):
        self.runs += 1
        self.was_asked.set()
        self._thawed.wait(timeout=60)
        if self.error:
            raise self.error
        return [Reading(NAME, self.status, datetime.now(UTC), is_required=True, value=1.0, unit="ms")]


def probe_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("probe ")]


class WatcherTestCase(TestCase):
    """A watcher of a fake probe, on a clock that the test moves."""

    def setUp(self):
        self.now = 1000.0
        self.probe = FakeProbe()
        self.addCleanup(self.probe.thaw)
        self.watcher = self.watch(deadline_seconds=30.0)

    def watch(self, *, deadline_seconds):
        return Watcher(self.probe, overdue=(NAME, True), deadline_seconds=deadline_seconds, clock=lambda: self.now)

    def status(self):
        (reading,) = self.watcher.readings()
        return reading.status


class Freshness(WatcherTestCase):
    """An answer is kept for 5 seconds when it is good, for 2 when it is bad."""

    def test_the_first_question_is_answered_by_a_run(self):
        self.assertEqual(self.status(), Status.PASS)
        self.assertEqual(self.probe.runs, 1)

    def test_a_good_answer_is_kept_five_seconds(self):
        self.status()
        self.now += TTL_SECONDS - 0.1
        self.status()
        self.assertEqual(self.probe.runs, 1)
        self.now += 0.1
        self.status()
        self.assertEqual(self.probe.runs, 2)

    def test_a_bad_answer_is_kept_two_seconds(self):
        self.probe.status = Status.FAIL
        self.status()
        self.now += FAIL_TTL_SECONDS - 0.1
        self.assertEqual(self.status(), Status.FAIL)
        self.assertEqual(self.probe.runs, 1)
        self.probe.status = Status.PASS
        self.now += 0.1
        self.assertEqual(self.status(), Status.PASS)

    def test_a_bad_answer_of_long_ago_is_not_given_again_before_a_new_run_ends(self):
        self.probe.status = Status.FAIL
        self.status()
        self.now += FAIL_TTL_SECONDS + BAD_STANDS_SECONDS
        self.probe.status = Status.PASS
        self.probe.was_asked.clear()
        self.probe.freeze()
        with patch.object(watcher_module, "BAD_DEADLINE_SECONDS", 0.0), ThreadPoolExecutor(1) as others:
            asked = others.submit(self.status)
            self.assertTrue(self.probe.was_asked.wait(timeout=10))
            self.probe.thaw()
            self.assertEqual(asked.result(timeout=10), Status.PASS)

    def test_who_looks_before_anybody_asks_waits_past_the_deadline_and_no_longer_than_they_say(self):
        self.probe.freeze()
        self.watcher.look(seconds=0.01)
        self.assertEqual(self.watcher.kept(), ())
        self.now += 31.0
        with ThreadPoolExecutor(1) as others:
            looking = others.submit(self.watcher.look, seconds=60)
            self.probe.thaw()
            looking.result(timeout=10)
        self.assertEqual(len(self.watcher.kept()), 1)
        self.assertEqual((self.status(), self.probe.runs), (Status.PASS, 2))

    def test_who_asks_after_that_is_told_of_now(self):
        self.watcher.look(seconds=60)
        self.probe.status = Status.FAIL
        self.assertEqual(self.status(), Status.FAIL)

    def test_no_thread_lives_between_runs(self):
        self.status()
        self.probe.thaw()
        self.assertEqual(probe_threads(), [])

    def test_whatever_the_probe_raises_is_a_failure_named_by_its_type_only(self):
        self.probe.error = OSError("db.internal:5432 refused asha")
        with self.assertLogs("monitoring.health", "WARNING"):
            (reading,) = self.watcher.readings()
        self.assertEqual((reading.status, reading.output, reading.is_required), (Status.FAIL, "OSError", True))

    def test_a_lasting_fault_is_logged_once_and_its_end_once(self):
        self.probe.error = OSError("refused")
        with self.assertLogs("monitoring.health", "INFO") as logs:
            for _ in range(3):
                self.status()
                self.now += FAIL_TTL_SECONDS
            self.probe.error = None
            self.status()
        self.assertEqual([record.status for record in logs.records], ["fail", "pass"])

    def test_each_is_told_of_by_its_own_name_and_none_hides_another(self):
        readings = {"backup:age": (Status.WARN, False), "outbox:oldest": (Status.PASS, True)}
        watcher = Watcher(
            lambda: [
                Reading(name, status, datetime.now(UTC), is_required=False, output="why", degrades=degrades)
                for name, (status, degrades) in readings.items()
            ],
            overdue=("schedule:overdue", False),
            deadline_seconds=30.0,
            clock=lambda: self.now,
        )

        def look():
            self.now += 60
            watcher.readings()

        with self.assertNoLogs("monitoring.health"):
            look()  # what degrades nothing is no news
        with self.assertLogs("monitoring.health", "INFO") as logs:
            readings["schedule:overdue"] = (Status.WARN, True)
            look()
            readings["outbox:oldest"] = (Status.WARN, True)
            look()
            readings["schedule:overdue"] = (Status.PASS, True)
            look()
        self.assertEqual(
            [(record.probe, record.status, record.output) for record in logs.records],
            [
                ("schedule:overdue", "warn", "why"),
                ("outbox:oldest", "warn", "why"),
                ("schedule:overdue", "pass", "why"),
            ],
        )


class SingleFlight(WatcherTestCase):
    """Two hundred that ask at once share one run."""

    def test_they_share_one_run(self):
        self.probe.freeze()
        barrier = threading.Barrier(201)

        def ask(_):
            barrier.wait(timeout=30)
            return self.status()

        with ThreadPoolExecutor(200) as pool:
            answers = pool.map(ask, range(200))
            barrier.wait(timeout=30)
            self.probe.thaw()
            self.assertEqual(set(answers), {Status.PASS})
        self.assertEqual(self.probe.runs, 1)


class Frozen(WatcherTestCase):
    """A probe that hangs is a failure after the deadline; its run is waited for by no second thread."""

    def setUp(self):
        super().setUp()
        self.watcher = self.watch(deadline_seconds=0.05)
        self.probe.freeze()

    def test_past_the_deadline_it_fails(self):
        (reading,) = self.watcher.readings()
        self.assertEqual((reading.status, reading.output), (Status.FAIL, "no answer within 0.05 s"))

    def test_later_questions_do_not_wait_and_do_not_stack_threads(self):
        self.status()
        self.now += 0.05
        for _ in range(1000):
            self.assertEqual(self.status(), Status.FAIL)
            self.now += 1
        self.assertTrue(self.probe.was_asked.wait(30))
        self.assertEqual((self.probe.runs, len(probe_threads())), (1, 1))

    def test_it_is_told_of_while_it_hangs(self):
        with self.assertLogs("monitoring.health", "WARNING") as logs:
            self.status()
            self.status()
        self.assertEqual(len(logs.records), 1)

    def test_when_it_thaws_the_late_answer_is_not_kept(self):
        self.watcher = self.watch(deadline_seconds=30.0)  # within which the second run ends on any machine
        self.watcher.refresh()
        self.now += 42
        self.assertEqual(self.status(), Status.FAIL)
        self.probe.thaw()
        self.assertEqual(self.status(), Status.PASS)
        self.assertEqual(self.probe.runs, 2)

    def test_while_the_last_answer_was_bad_it_stands_and_is_hardly_waited_for(self):
        self.watcher = self.watch(deadline_seconds=30.0)
        self.probe.thaw()
        self.probe.error = OSError("refused")
        self.status()
        self.probe.freeze()
        self.now += FAIL_TTL_SECONDS
        (reading,) = self.watcher.readings()  # this would take 30 s if it waited for its deadline
        self.assertEqual(reading.output, "OSError")
        self.probe.error = None
        self.probe.thaw()
        self.assertEqual(self.status(), Status.PASS)

    def test_a_run_that_hung_and_then_failed_is_a_bad_answer_kept_two_seconds(self):
        self.probe.error = OSError("timed out")
        self.status()
        self.now += 12
        self.probe.thaw()
        self.status()
        self.assertEqual(self.probe.runs, 1)

    def test_a_forked_child_starts_afresh(self):
        self.status()
        self.watcher.forget()
        self.status()
        self.probe.thaw()  # both runs have ended
        self.assertEqual(self.probe.runs, 2)


class Together(WatcherTestCase):
    """Whoever asks several watchers waits for all until one moment; here it has passed, and the deadline is 30 s."""

    def ask(self):
        (reading,) = self.watcher.readings(until=monotonic())
        return reading.status

    def test_what_was_found_last_stands_while_its_run_is_within_its_deadline(self):
        self.status()
        self.now += TTL_SECONDS
        self.probe.freeze()
        self.assertEqual(self.ask(), Status.PASS)
        self.assertTrue(self.probe.was_asked.wait(30))
        self.assertEqual(self.probe.runs, 2)

    def test_past_its_deadline_it_fails_all_the_same(self):
        self.status()
        self.now += TTL_SECONDS
        self.probe.freeze()
        self.ask()
        self.now += 30
        self.assertEqual(self.ask(), Status.FAIL)

    def test_where_nothing_was_found_yet_it_fails(self):
        self.probe.freeze()
        self.assertEqual(self.ask(), Status.FAIL)

    def test_a_moment_yet_to_come_makes_nobody_wait_past_the_deadline(self):
        self.watcher = self.watch(deadline_seconds=0.05)
        self.probe.freeze()
        started = monotonic()
        self.watcher.readings(until=started + 30)
        self.assertLess(monotonic() - started, 15)
