"""The verdict of this process about itself, drawn from its watchers. It runs no probe and answers no request."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from monitoring.health.probes import AUDIT, CACHE, DATABASE, DISK, AuditProbe, CacheProbe, DatabaseProbe, DiskProbe
from monitoring.health.readings import Health, Reading, Status, overall
from monitoring.health.watcher import Watcher

_STARTED = monotonic()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`uptime_seconds` counts from the start of the server's code in this process or the master it was forked from."""

    health: Health
    readings: tuple[Reading, ...]
    time: datetime
    uptime_seconds: int


class Board:
    """The watchers by component."""

    def __init__(self, watchers: Mapping[str, Watcher]) -> None:
        self._watchers = dict(watchers)

    def verdict(self) -> Verdict:
        """What the probes say; waits at most the deadline of each, and only where a run is due."""
        for watcher in self._watchers.values():
            # All at once, so that the deadlines run side by side and not one after the other.
            watcher.refresh()
        readings = tuple(reading for watcher in self._watchers.values() for reading in watcher.readings())
        return Verdict(
            health=overall(readings),
            readings=readings,
            time=datetime.now(UTC),
            uptime_seconds=int(monotonic() - _STARTED),
        )

    def of(self, component: str) -> tuple[Reading, ...]:
        """The readings of one component, under the same terms."""
        return self._watchers[component].readings()

    def is_up(self, component: str) -> bool:
        """Whether the first reading of the component, its round trip, does not fail."""
        return self.of(component)[0].status is not Status.FAIL

    def forget(self) -> None:
        """Start afresh."""
        for watcher in self._watchers.values():
            watcher.forget()


board = Board(
    {
        "database": Watcher(DatabaseProbe(), overdue=DATABASE),
        "cache": Watcher(CacheProbe(), overdue=CACHE),
        "disk": Watcher(DiskProbe(), overdue=DISK),
        "audit": Watcher(AuditProbe(), overdue=AUDIT),
    }
)
os.register_at_fork(after_in_child=board.forget)
