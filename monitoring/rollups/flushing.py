"""The thread that takes what this process counted to the database, every five seconds. It decides nothing.

A process that is killed takes what it counted since its last flush with it, five seconds at most; `/metrics` keeps even
that. A database that is away loses nothing: the next flush that succeeds brings the difference, in its own interval.
What a commit brought whose answer was lost is brought twice: the line fell in that very moment, and it is counts.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.db import Error, IntegrityError, close_old_connections, connections

from monitoring.database import pool_used_ratio
from monitoring.health import board
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


class Flusher(threading.Thread):
    """Flushes until its process ends. `watch` hears after each flush whether the database took it."""

    def __init__(self, *, role: str, watch: Watch | None = None, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(name="rollups", daemon=True)
        self._beat = Key(BEATS, (("role", role), ("version", settings.VERSION)))
        self._watch = watch
        self._clock = clock or (lambda: datetime.now(UTC))
        self._ids = SeriesIds()
        self._end = threading.Event()
        self._is_told = False
        # A slot counts on from those who held it before: their share was flushed by them.
        self._flushed = self._read() or {}

    def run(self) -> None:
        try:
            while not self._end.wait(INTERVAL_SECONDS):
                try:
                    self.flush()
                except Exception:
                    # A fault of ours must cost one interval, and not the rest of this process's history.
                    logger.exception("rollup_flush_fault")
        finally:
            connections.close_all()

    def stop(self) -> None:
        """Ask the thread to end; what was not flushed is lost."""
        self._end.set()

    def flush(self) -> bool:
        """Bring what was counted since the last flush that succeeded; whether the database took it."""
        now = self._read()
        if now is None:
            return False
        added = differences(now, self._flushed)
        is_taken = self._bring({**added, **summed(added), self._beat: 1.0}, _peaks())
        if is_taken:
            self._flushed = now
        if self._watch is not None:
            self._watch(is_taken)
        return is_taken

    def _bring(self, added: Totals, peaks: Mapping[Key, float]) -> bool:
        close_old_connections()
        try:
            add(added, peaks, at=self._clock(), ids=self._ids)
        except Error as error:
            # A series that was remembered may be gone, and a connection that broke is of no use any more.
            if isinstance(error, IntegrityError):
                self._ids.forget()
            connections.close_all()
            if not self._is_told:
                logger.warning("rollup_flush_failed", exc_info=error)
            self._is_told = True
            return False
        self._is_told = False
        return True

    def _read(self) -> Totals | None:
        try:
            return totals()
        except CountersUnreadable:
            logger.warning("rollup_counters_unreadable", exc_info=True)
            return None


def _peaks() -> dict[Key, float]:
    peaks = {Key(MEMORY_USED, ()): memory_used_ratio(workers=settings.WEB_WORKERS)}
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
