"""Runs the schedule inside the server where there is no PostgreSQL: one thread, one per machine and data
folder.

It starts after the worker has forked, since threads do not survive a fork. A file lock keeps a second process
from ticking too; the kernel releases it with its holder, however that ends.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from croniter import croniter
from django.conf import settings
from django.db import close_old_connections, connections

from koshflow.instance import schedule_lock
from koshflow.schedule import DELIVERY, SCHEDULE, SEALING, Entry, announce, run_counted
from koshflow.seal_watch import SealWatch
from security.machine_lock import MachineLock
from security.outbox import message_queued

logger = logging.getLogger("koshflow.schedule")

LOCK_RETRY_SECONDS = 10


class Ticker:
    """Runs what is due. Knows the time only as an argument."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        # Everything is due at first: a laptop that sleeps at night must still get its nightly work done.
        self._due: dict[Entry, datetime] = dict.fromkeys(entries, datetime.min.replace(tzinfo=UTC))
        self._ticked_at = datetime.min.replace(tzinfo=UTC)
        self._apart: dict[Entry, threading.Thread] = {}

    def tick(self, now: datetime) -> datetime:
        """Run each entry whose time has come, once, however many of its slots were missed; when the next is
        due.
        """
        if now < self._ticked_at:  # The clock was put back, perhaps by hours: nothing waits until it is there again.
            self._due = {entry: min(due, _next(entry, now)) for entry, due in self._due.items()}
        self._ticked_at = now
        for entry, due in self._due.items():
            if due <= now:
                self._start(entry)
                self._due[entry] = _next(entry, now)
        return min(self._due.values())

    def _start(self, entry: Entry) -> None:
        before = self._apart.get(entry)
        if not entry.is_apart:
            _run(entry)
        elif before is None or not before.is_alive():
            self._apart[entry] = threading.Thread(target=_run_apart, args=[entry], name=entry.name, daemon=True)
            self._apart[entry].start()

    def hurry(self, name: str) -> None:
        """Make entry `name` due at the next tick."""
        for entry in self._due:
            if entry.name == name:
                self._due[entry] = datetime.min.replace(tzinfo=UTC)


def _next(entry: Entry, now: datetime) -> datetime:
    following: datetime = croniter(entry.cron, now).get_next(datetime)
    return following


def _run(entry: Entry) -> None:
    close_old_connections()
    try:
        run_counted(entry)
    except Exception:
        # A fault of one entry must stop neither the others nor its own next slot.
        logger.exception("schedule_entry_failed", extra={"entry": entry.name})
    finally:
        close_old_connections()


def _run_apart(entry: Entry) -> None:
    try:
        _run(entry)
    finally:
        connections.close_all()  # this thread's, which ends here


class EmbeddedSchedule(threading.Thread):
    """The ticking thread. A daemon: what it leaves undone when the server ends, the next start does.

    `begin` is called once, when the lock is ours.
    """

    def __init__(
        self,
        *,
        lock: MachineLock,
        entries: Sequence[Entry] = SCHEDULE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        begin: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(name="schedule", daemon=True)
        self._lock = lock
        self._ticker = Ticker(entries)
        self._clock = clock
        self._begin = begin
        self._has_begun = False
        self._wake = threading.Event()
        self._hurried: set[str] = set()
        self._is_stopping = False

    def run(self) -> None:
        try:
            while not self._is_stopping:
                self._wake.wait(self.step())
                self._wake.clear()
        finally:
            connections.close_all()
            self._lock.release()

    def step(self) -> float:
        """Tick if the lock is ours; seconds until the next step."""
        try:
            if not self._lock.acquire():
                return LOCK_RETRY_SECONDS
        except OSError:
            logger.exception("schedule_lock_failed")
            return LOCK_RETRY_SECONDS
        if not self._has_begun:
            self._has_begun = True
            self._begin()
        while self._hurried:
            self._ticker.hurry(self._hurried.pop())
        next_due = self._ticker.tick(self._clock())
        return max(0.0, (next_due - self._clock()).total_seconds())

    def deliver_now(self, **_signal: object) -> None:
        """A message was queued: deliver without waiting for the slot."""
        self.hurry(DELIVERY)

    def hurry(self, name: str) -> None:
        """Run entry `name` without waiting for its slot. Any thread may ask."""
        self._hurried.add(name)
        self._wake.set()

    def stop(self, *, timeout_seconds: float) -> None:
        """Ask the thread to end and wait for it; the lock is free for another when it has ended."""
        self._is_stopping = True
        self._wake.set()
        self.join(timeout_seconds)


def start_embedded_schedule() -> None:
    """Start the thread in this process. Call it once, after the last fork."""
    schedule = EmbeddedSchedule(lock=schedule_lock(settings.DATA_DIR), begin=announce)
    message_queued.connect(schedule.deliver_now, weak=False, dispatch_uid="embedded schedule")
    schedule.start()
    SealWatch(lambda: schedule.hurry(SEALING)).start()
