"""Totals are exact over workers that come, work at once, are killed and are replaced."""

import multiprocessing
import os
import signal
import stat
import tempfile
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import pytest

from monitoring.metrics import metrics, slots
from tests.monitoring.metrics.counting import CountingMixin

pytestmark = pytest.mark.embedded  # no store is asked

# Workers of the server are forked as well.
FORK = multiprocessing.get_context("fork")


def count(times: int) -> None:
    for _ in range(times):
        metrics().request_answered(method="GET", route="/api/auth/me", status=200, seconds=0.01)
        metrics().refused("NO_TOKEN")
        metrics().auth_attempts.labels("login", "success").inc()


def work(directory: Path, times: int, pipe) -> None:
    """A worker: takes a slot, counts, says so, and lives until it is told to end or killed."""
    slot = slots.lease(directory)
    count(times)
    pipe.send(slot.number)
    pipe.recv()


def work_without_end(directory: Path, done, pipe) -> None:
    """A worker under fire: counts until it is killed, and notes after each how many it has."""
    slots.lease(directory)
    pipe.send("started")
    while True:
        metrics().refused("NOT_FOUND")
        done.value += 1


def work_with_a_child(directory: Path, pipe) -> None:
    """A worker that forks while it holds a slot, as a library may."""
    slots.lease(directory)
    count(1)
    child = FORK.Process(target=_count_and_tell, args=(pipe,))
    child.start()
    child.join()
    count(1)
    pipe.send(slots.current().number)


def _count_and_tell(pipe) -> None:
    count(1)
    pipe.send(slots.current().number)


class Workers(CountingMixin, TestCase):
    """Starts workers on a folder of their own; this process reads, in a slot of its own."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(slots.release)
        self.directory = Path(folder.name) / "metrics"
        self.running = []
        self.addCleanup(self.end_all)

    def start(self, target, *arguments):
        mine, theirs = FORK.Pipe()
        process = FORK.Process(target=target, args=(self.directory, *arguments, theirs))
        process.start()
        self.running.append((process, mine))
        return process, mine

    def end_all(self):
        for process, _ in self.running:
            process.kill()
            process.join()
        self.running.clear()

    def start_counting(self, times) -> int:
        """Slot of a new worker that has counted `times`."""
        return self.heard(self.start(work, times)[1])

    def heard(self, pipe):
        self.assertTrue(pipe.poll(30), "the worker said nothing")
        return pipe.recv()

    def kill_last(self):
        process, _ = self.running.pop()
        os.kill(process.pid, signal.SIGKILL)
        process.join()

    def read(self):
        slots.lease(self.directory)

    def requests(self):
        self.read()
        return self.value("kf_http_requests_total", method="GET", route="/api/auth/me", status_class="2xx")


class Exactness(Workers):
    """What several processes counted is added up; what a dead one counted is kept."""

    def test_workers_that_live_together(self):
        numbers = [self.start_counting(times) for times in (100, 20, 3)]
        self.assertEqual(numbers, [0, 1, 2])
        self.assertEqual(self.requests(), 123)
        self.assertEqual(self.value("kf_refusals_total", code="NO_TOKEN"), 123)
        self.assertEqual(self.value("kf_auth_attempts_total", flow="login", outcome="success"), 123)
        labels = {"method": "GET", "route": "/api/auth/me", "status_class": "2xx", "le": "0.01"}
        self.assertEqual(self.value("kf_http_request_duration_seconds_bucket", **labels), 123)

    def test_a_killed_workers_totals_stay_and_its_heir_counts_on(self):
        self.start_counting(7)
        self.assertEqual(self.start_counting(40), 1)
        self.kill_last()
        self.assertEqual(self.start_counting(5), 1)
        self.assertEqual(self.requests(), 52)

    def test_a_worker_killed_while_it_counts_loses_nothing(self):
        for _ in range(5):
            done = FORK.Value("L", 0, lock=False)  # a lock would die with the worker that holds it
            before = self.value("kf_refusals_total", code="NOT_FOUND")
            _, pipe = self.start(work_without_end, done)
            self.heard(pipe)
            while done.value < 200:
                pass
            self.kill_last()
            self.read()
            counted = self.value("kf_refusals_total", code="NOT_FOUND") - before
            # The one more is the count that it had written and not yet noted.
            self.assertIn(counted - done.value, (0, 1))

    def test_many_replacements_leave_as_many_files_as_ever_lived_at_once(self):
        self.start_counting(1)
        for _ in range(30):
            self.start_counting(1)
            self.kill_last()
        self.assertEqual(len(list(self.directory.glob("slot_*.lock"))), 2)
        self.assertEqual(self.requests(), 31)

    def test_a_forked_child_of_a_holder_takes_a_slot_of_its_own(self):
        _, pipe = self.start(work_with_a_child)
        self.assertEqual((self.heard(pipe), self.heard(pipe)), (1, 0))
        self.assertEqual(self.requests(), 3)

    def test_who_died_is_not_in_flight(self):
        self.read()
        metrics().requests_in_flight.inc()
        self.start(_hold_in_flight)
        self.heard(self.running[-1][1])
        self.assertEqual(self.value("kf_http_requests_in_flight"), 2)
        self.kill_last()
        self.assertEqual(self.value("kf_http_requests_in_flight"), 1)
        self.start_counting(1)  # the heir of its slot
        self.assertEqual(self.value("kf_http_requests_in_flight"), 1)


def _hold_in_flight(directory, pipe) -> None:
    slots.lease(directory)
    metrics().requests_in_flight.inc()
    pipe.send("held")
    pipe.recv()


def _serve_and_lose_a_worker(directory, pipe) -> None:
    """A server whose only worker was killed this moment."""
    slots.begin(directory)
    worker = FORK.Process(target=_count_nine, args=(directory,))
    worker.start()
    worker.join()
    pipe.send("lost")
    pipe.recv()


def _count_nine(directory) -> None:
    slots.lease(directory)
    count(9)
    os.kill(os.getpid(), signal.SIGKILL)


class Start(Workers):
    """A server that starts forgets what is nobody's; nothing else ever does."""

    def test_the_totals_of_the_dead_are_wiped(self):
        self.start_counting(9)
        self.kill_last()
        slots.begin(self.directory)
        self.assertEqual(self.requests(), 0)

    def test_those_of_the_living_are_not(self):
        self.start_counting(9)
        slots.begin(self.directory)
        self.assertEqual(self.requests(), 9)

    def test_beside_another_server_nothing_is(self):
        _, pipe = self.start(_serve_and_lose_a_worker)
        self.heard(pipe)
        slots.begin(self.directory)
        self.assertEqual(self.requests(), 9)
        self.kill_last()
        slots.release()
        slots.begin(self.directory)
        self.assertEqual(self.requests(), 0)

    def test_the_first_on_an_empty_folder_makes_it(self):
        slots.begin(self.directory)
        self.assertEqual(self.requests(), 0)

    def test_a_second_lease_changes_nothing(self):
        self.assertEqual(slots.lease(self.directory), slots.lease(self.directory))

    def test_who_holds_no_slot_counts_in_memory_and_writes_no_file(self):
        count(1)
        self.assertFalse(self.directory.exists())
        self.assertEqual(self.value("kf_refusals_total", code="NO_TOKEN"), 1)

    def test_files_are_the_owners_only(self):
        self.read()
        for path in (self.directory, *self.directory.iterdir()):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)


class Damage(Workers):
    """A file that cannot be read costs what was in it, never the scrape nor the start."""

    def damaged(self, content: bytes):
        self.start_counting(4)
        self.start_counting(2)
        self.kill_last()
        (self.directory / "counter_1.db").write_bytes(content)
        with self.assertLogs("monitoring.metrics", "WARNING"):
            self.assertEqual(self.requests(), 6)  # the histogram of slot 1 is whole
            self.assertEqual(self.value("kf_refusals_total", code="NO_TOKEN"), 4)

    def test_a_torn_one(self):
        self.damaged(b"\xff\x7f\x00\x00" + b"\x07" * 60)

    def test_one_with_a_broken_key(self):
        self.damaged(b"\x28\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00" + b"\xff" * 12 + b"\x00" * 60)

    def test_the_heir_of_a_torn_one_starts_at_zero(self):
        self.start_counting(4)
        self.kill_last()
        (self.directory / "counter_0.db").write_bytes(b"\xff\x7f\x00\x00" + b"\x07" * 60)
        with self.assertLogs("monitoring.metrics", "WARNING"):
            self.read()
        count(1)
        self.assertEqual(self.value("kf_refusals_total", code="NO_TOKEN"), 1)

    def test_a_full_disk_refuses_at_the_start(self):
        with patch("monitoring.metrics.slots.os.posix_fallocate", side_effect=OSError(28, "No space left")):
            self.assertRaises(OSError, slots.lease, self.directory)
        self.assertEqual(slots.lease(self.directory).number, 0)  # the refused lease let its lock go

    def test_more_processes_than_slots_are_refused(self):
        self.start_counting(1)
        with patch("monitoring.metrics.slots.MAX_SLOTS", 1):
            self.assertRaises(slots.NoFreeSlot, slots.lease, self.directory)
