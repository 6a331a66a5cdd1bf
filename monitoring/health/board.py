"""The verdict of this process about itself, drawn from its watchers. It runs no probe and answers no request."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from monitoring.health.operation import (
    BACKUP,
    MAIL,
    MAIL_SECONDS,
    POOL,
    SCHEDULE,
    BackupProbe,
    MailProbe,
    OperationProbe,
    PoolProbe,
)
from monitoring.health.probes import AUDIT, CACHE, DATABASE, DISK, AuditProbe, CacheProbe, DatabaseProbe, DiskProbe
from monitoring.health.readings import Health, Reading, Status, overall
from monitoring.health.watcher import Watcher

_STARTED = monotonic()
# What is asked of a working database only: where it hangs, one thread that hangs with it is enough.
NEED_DATABASE = frozenset({"audit", "operation"})
# What nobody waits for on /health: a relay may take seconds to greet.
UNHURRIED = frozenset({"mail"})
DEEP_TTL_SECONDS = 30.0


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

    def verdict(self, *, is_thorough: bool = False) -> Verdict:
        """What the probes say; waits at most the deadline of each, and only where a run is due.

        Of what nobody waits for it is what was found last, unless the verdict is to be thorough.
        """
        readings = self._read(self._watchers.keys() - NEED_DATABASE, is_thorough=is_thorough)
        if any(one.component == "database" and one.status is Status.FAIL for one in readings):
            readings += [one for name in NEED_DATABASE & self._watchers.keys() for one in self._watchers[name].kept()]
        else:
            readings += self._read(self._watchers.keys() & NEED_DATABASE, is_thorough=is_thorough)
        return Verdict(
            health=overall(readings),
            readings=tuple(readings),
            time=datetime.now(UTC),
            uptime_seconds=int(monotonic() - _STARTED),
        )

    def _read(self, names: Iterable[str], *, is_thorough: bool) -> list[Reading]:
        asked = {name: self._watchers[name] for name in sorted(names)}
        for watcher in asked.values():
            # All at once, so that the deadlines run side by side and not one after the other.
            watcher.refresh()
        return [
            reading
            for name, watcher in asked.items()
            for reading in (watcher.kept() if name in UNHURRIED and not is_thorough else watcher.readings())
        ]

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
        "pool": Watcher(PoolProbe(), overdue=POOL),
        "backup": Watcher(BackupProbe(), overdue=BACKUP, ttl_seconds=DEEP_TTL_SECONDS),
        "audit": Watcher(AuditProbe(), overdue=AUDIT, ttl_seconds=DEEP_TTL_SECONDS),
        "operation": Watcher(OperationProbe(), overdue=SCHEDULE, ttl_seconds=DEEP_TTL_SECONDS),
        "mail": Watcher(MailProbe(), overdue=MAIL, deadline_seconds=MAIL_SECONDS, ttl_seconds=2 * DEEP_TTL_SECONDS),
    }
)
os.register_at_fork(after_in_child=board.forget)
