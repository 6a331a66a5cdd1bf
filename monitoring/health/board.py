"""The verdict of this process about itself, drawn from its watchers. It runs no probe and answers no request."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from monitoring.draining import is_draining
from monitoring.health.operation import (
    MAIL,
    MAIL_SECONDS,
    POOL,
    SCHEDULE,
    MailProbe,
    OperationProbe,
    PoolProbe,
)
from monitoring.health.probes import (
    AUDIT,
    CACHE,
    DATABASE,
    DISK,
    AuditProbe,
    CacheProbe,
    DatabaseProbe,
    DiskProbe,
    reading,
)
from monitoring.health.readings import Health, Reading, Status, overall
from monitoring.health.watcher import Watcher

_STARTED = monotonic()
# What is asked of a working database only: where it hangs, one thread that hangs with it is enough.
NEED_DATABASE = frozenset({"audit", "operation"})
# What nobody waits for on /health: a relay may take seconds to greet.
UNHURRIED = frozenset({"mail"})
DEEP_TTL_SECONDS = 30.0
DRAINING = ("server:draining", True)
# What needs the database is asked after it has answered: within this, and it has its whole deadline.
LATE_START_SECONDS = 0.1
FIRST_LOOK_SECONDS = 3.0


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
        """What the probes say; waits only for runs that are due, for all together about as long as for one.

        Of what nobody waits for it is what was found last, unless the verdict is to be thorough.
        """
        found = self._ask(unawaited=frozenset() if is_thorough else UNHURRIED)
        readings = tuple(one for name in sorted(found) for one in found[name])
        if is_draining():
            # Kept by no watcher: the next question already must hear of it.
            readings += (reading(DRAINING, Status.FAIL, output="the server is about to end"),)
        return Verdict(
            health=overall(readings),
            readings=readings,
            time=datetime.now(UTC),
            uptime_seconds=int(monotonic() - _STARTED),
        )

    def _ask(self, *, unawaited: frozenset[str]) -> dict[str, tuple[Reading, ...]]:
        names = self._watchers.keys()
        self._refresh(names - NEED_DATABASE)
        deadlines = [self._watchers[name].deadline_seconds for name in names - unawaited]
        until = monotonic() + max(deadlines, default=0.0) + LATE_START_SECONDS
        # Asked once, and before all others: what is kept of it may grow too old while they are waited for.
        found = {name: self._watchers[name].readings(until=until) for name in names & {"database"}}
        if any(reading.status is Status.FAIL for reading in found.get("database", ())):
            unawaited |= NEED_DATABASE
        else:
            self._refresh(names & NEED_DATABASE)
        for name in names - found.keys():
            watcher = self._watchers[name]
            found[name] = watcher.kept() if name in unawaited else watcher.readings(until=until)
        return found

    def _refresh(self, names: Iterable[str]) -> None:
        # All at once, so that the deadlines run side by side and not one after the other.
        for name in names:
            self._watchers[name].refresh()

    def of(self, component: str) -> tuple[Reading, ...]:
        """The readings of one component, under the same terms."""
        return self._watchers[component].readings()

    def is_up(self, component: str) -> bool:
        """Whether the first reading of the component, its round trip, does not fail."""
        return self.of(component)[0].status is not Status.FAIL

    def look(self) -> None:
        """Look at the database before anybody asks.

        The first look reads all migrations. Beside the first requests, on a busy host, it takes longer than its
        deadline: each worker that takes the place of another would begin as one that cannot serve.
        """
        self._watchers["database"].look(seconds=FIRST_LOOK_SECONDS)

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
        "audit": Watcher(AuditProbe(), overdue=AUDIT, ttl_seconds=DEEP_TTL_SECONDS),
        "operation": Watcher(OperationProbe(), overdue=SCHEDULE, ttl_seconds=DEEP_TTL_SECONDS),
        "mail": Watcher(MailProbe(), overdue=MAIL, deadline_seconds=MAIL_SECONDS, ttl_seconds=2 * DEEP_TTL_SECONDS),
    }
)
os.register_at_fork(after_in_child=board.forget)
