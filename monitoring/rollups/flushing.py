"""The thread that takes what this process counted to the database, every five seconds. It decides nothing.

A process that is killed takes what it counted since its last flush with it, five seconds at most; `/metrics` keeps even
that. A database that is away loses nothing: the next flush that succeeds brings the difference, in its own interval.
What a commit brought whose answer was lost is brought twice: the line fell in that very moment, and it is counts.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.db import Error

from monitoring.database import pool_used_ratio
from monitoring.health import board
from monitoring.periodic import PeriodicThread
from monitoring.rollups.counting import CountersUnreadable, Totals, differences, memory_used_ratio, totals
from monitoring.rollups.selecting import Key
from monitoring.rollups.store import SeriesIds, add
from monitoring.rollups.summing import summed

logger = logging.getLogger("monitoring.rollups")

INTERVAL_SECONDS = 5.0
# One more at each flush, by role (server, worker) and release: its absence means that nobody of
# that role lives or reaches us.
BEATS = "kf_process_beats"
MEMORY_USED = "kf_process_memory_used_ratio"
DISK_USED = "kf_host_disk_used_ratio"
POOL_USED = "kf_db_pool_used_ratio"

Watch = Callable[[bool], None]


class Flusher(PeriodicThread):
    """Flushes until its process ends. `watch` hears after each flush whether the database took it."""

    def __init__(self, *, role: str, watch: Watch | None = None, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(name="rollups", interval_seconds=INTERVAL_SECONDS)
        self._beat = Key(BEATS, (("role", role), ("version", settings.VERSION)))
        # The servers of a machine are many and alike; whoever works for the schedule is one.
        self._alike = settings.WEB_WORKERS if role == "server" else 1
        self._watch = watch or (lambda _is_taken: None)
        self._clock = clock or (lambda: datetime.now(UTC))
        self._ids = SeriesIds()
        # A slot counts on from those who held it before: their share was flushed by them.
        self._flushed = self._read() or {}

    def work(self) -> None:
        """Bring what was counted since the last flush that succeeded. Raises what the database raises."""
        now = self._read()
        if now is None:
            return
        added, peaks = differences(now, self._flushed), self._peaks()
        try:
            add({**added, **summed(added), self._beat: 1.0}, peaks, at=self._clock(), ids=self._ids)
        except Exception as error:
            # Series that it remembers may be gone, or were made in what was rolled back: SQLite gives their ids anew.
            self._ids.forget()
            if isinstance(error, Error):
                self._watch(False)  # noqa: FBT003 - the one thing it hears
            raise
        self._flushed = now
        self._watch(True)  # noqa: FBT003

    def _read(self) -> Totals | None:
        try:
            return totals()
        except CountersUnreadable:
            logger.warning("rollup_counters_unreadable", exc_info=True)
            return None

    def _peaks(self) -> dict[Key, float]:
        peaks = {Key(MEMORY_USED, ()): memory_used_ratio(workers=self._alike)}
        percent = board.of("disk")[0].value
        if percent is not None:
            peaks[Key(DISK_USED, ())] = 1 - percent / 100
        pool = pool_used_ratio()
        if pool is not None:
            peaks[Key(POOL_USED, ())] = pool
        return peaks


def start_flushing(*, role: str, watch: Watch | None = None) -> None:
    """Flush from this process. Call it once, after the last fork: threads do not survive one."""
    Flusher(role=role, watch=watch).start()
