"""What is measured: database round trip, migrations, cache round trip, free disk. It never writes to the database.

Each probe runs in a thread of its own (`watcher.py`), so the connections it opens are its own; it closes them.
"""

import secrets
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, perf_counter

from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from monitoring.health.readings import Reading, Status
from security.siem import standing
from security.tlog import WitnessMisnamed, configured_witnesses, last_verification, oldest_pending, witness_lag

DATABASE = ("database:responseTime", True)
MIGRATIONS = ("database:migrations", True)
CACHE = ("cache:responseTime", False)
DISK = ("disk:free", False)
AUDIT = ("audit:sealLag", False)
WITNESS = ("audit:witnessLag", False)
FORWARD = ("audit:forwardLag", False)
VERIFICATION = ("audit:lastVerification", False)

LEAST_FREE_PERCENT = 15.0
MOST_SEAL_LAG_SECONDS = 60.0  # the schedule seals every ten
MOST_WITNESS_LAG_SECONDS = 60.0  # and has what it sealed cosigned every ten
MOST_FORWARD_LAG_SECONDS = 120.0  # sealed within ten seconds, and sent within ten more
MOST_UNVERIFIED = timedelta(hours=49)  # a night may be missed
# Reading all migration files takes a tenth of a second of CPU, and applied ones stay applied.
MIGRATIONS_KEPT_SECONDS = 60.0
# Whether it is read-only, and whether it takes audit events. A standby, or a database that its provider closed because
# the disk is full, answers reads and refuses every sign-in: a round trip alone would call it healthy.
_ROUND_TRIP = {
    "postgresql": "SELECT current_setting('transaction_read_only')::boolean, "
    "coalesce(has_table_privilege(to_regclass('audit_event'), 'INSERT'), true)",
    "sqlite": "SELECT 0, 1",
}


class DatabaseProbe:
    """Round trip over a connection of its own, and whether every migration is applied."""

    def __init__(self) -> None:
        self._migrated_until = float("-inf")

    def __call__(self) -> Sequence[Reading]:
        connection = connections["default"]
        try:
            started = perf_counter()
            with connection.cursor() as cursor:
                cursor.execute(_ROUND_TRIP[connection.vendor])
                is_read_only, takes_events = cursor.fetchone()
            took = milliseconds(started)
            output = "read-only" if is_read_only else "" if takes_events else "takes no audit event"
            status = Status.FAIL if output else Status.PASS
            return [reading(DATABASE, status, value=took, unit="ms", output=output), self._migrations()]
        finally:
            connection.close()

    def _migrations(self) -> Reading:
        if monotonic() < self._migrated_until:
            return reading(MIGRATIONS, Status.PASS, value=0, unit="unapplied")
        try:
            executor = MigrationExecutor(connections["default"])
            unapplied = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        except DatabaseError as error:
            return reading(MIGRATIONS, Status.FAIL, output=type(error).__name__)
        if unapplied:
            return reading(MIGRATIONS, Status.FAIL, value=unapplied, unit="unapplied")
        self._migrated_until = monotonic() + MIGRATIONS_KEPT_SECONDS
        return reading(MIGRATIONS, Status.PASS, value=0, unit="unapplied")


class CacheProbe:
    """Writes a random value and reads it back, on the alias that raises instead of failing soft."""

    def __call__(self) -> Sequence[Reading]:
        cache = caches["security"]
        token = secrets.token_hex(8)
        started = perf_counter()
        try:
            cache.set(f"health:{token}", token, timeout=5)
            is_kept = cache.get(f"health:{token}") == token
        finally:
            cache.close()
        status = Status.PASS if is_kept else Status.FAIL
        output = "" if is_kept else "value not kept"
        return [reading(CACHE, status, value=milliseconds(started), unit="ms", output=output)]


class AuditProbe:
    """Age of the oldest event that is not sealed, and of the oldest checkpoint that a witness has not cosigned.

    The schedule stands still, or the log was changed. Where no witness is configured there is no second reading, and
    where no SIEM is, none of the oldest sealed event that it has not got. The last is the age of the last verification,
    once there was one, and what it found.
    """

    def __call__(self) -> Sequence[Reading]:
        try:
            now = datetime.now(UTC)
            oldest = oldest_pending()
            lag = timedelta() if oldest is None else now - oldest
            readings = [_lag(AUDIT, lag, most=MOST_SEAL_LAG_SECONDS, fault="events are not sealed")]
            if configured_witnesses():
                fault = "a witness does not cosign"
                readings.append(_lag(WITNESS, witness_lag(now), most=MOST_WITNESS_LAG_SECONDS, fault=fault))
            if forwarded := standing(now):
                fault = "events do not reach the SIEM"
                readings.append(_lag(FORWARD, forwarded.lag, most=MOST_FORWARD_LAG_SECONDS, fault=fault))
            readings.extend(_verification(now))
        except (DatabaseError, WitnessMisnamed) as error:
            return [judged(AUDIT, fault=type(error).__name__)]
        finally:
            connections["default"].close()
        return readings


def _verification(now: datetime) -> Sequence[Reading]:
    run = last_verification()
    if run is None:
        return []
    age = now - run.at
    output = ""
    if run.faults:
        output = "the log was changed"
    elif run.not_verified:
        output = "not all of the log is proved"
    elif age > MOST_UNVERIFIED:
        output = "not verified for two nights"
    status = Status.FAIL if run.faults else Status.WARN if output else Status.PASS
    return [reading(VERIFICATION, status, value=seconds_of(age), unit="s", output=output)]


def _lag(which: tuple[str, bool], lag: timedelta, *, most: float, fault: str) -> Reading:
    seconds = seconds_of(lag)
    return judged(which, value=seconds, unit="s", fault=fault if seconds > most else "")


class DiskProbe:
    """Free space of the data folder's file system, as an ordinary user may fill it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def __call__(self) -> Sequence[Reading]:
        folder = self.folder or settings.DATA_DIR
        while not folder.exists():
            folder = folder.parent
        usage = shutil.disk_usage(folder)
        percent = round(100 * usage.free / usage.total, 1)
        status = Status.PASS if percent >= LEAST_FREE_PERCENT else Status.WARN
        return [reading(DISK, status, value=percent, unit="percent")]


def reading(
    which: tuple[str, bool],
    status: Status,
    *,
    value: float | None = None,
    unit: str = "",
    output: str = "",
    degrades: bool = True,
) -> Reading:
    """A reading of now; `which` is its name and whether it is required."""
    name, is_required = which
    return Reading(
        name=name,
        status=status,
        time=datetime.now(UTC),
        is_required=is_required,
        value=value,
        unit=unit,
        output=output,
        degrades=degrades,
    )


def judged(which: tuple[str, bool], *, fault: str, value: float | None = None, unit: str = "") -> Reading:
    """A reading of now that warns where there is a `fault`, and names it."""
    return reading(which, Status.WARN if fault else Status.PASS, value=value, unit=unit, output=fault)


def seconds_of(age: timedelta) -> float:
    """To a tenth; 0 where a clock is behind and it would be less."""
    return max(0.0, round(age.total_seconds(), 1))


def milliseconds(started: float) -> float:
    """Since `started`, of perf_counter."""
    return round((perf_counter() - started) * 1000, 2)
