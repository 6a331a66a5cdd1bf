"""What is measured of the product at work, beyond whether it serves: schedule, outbox, backups, clock, relay and more.

None of it is required: the product serves without, and with loss. What is not there to be measured has no reading.
"""

import smtplib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections

from monitoring.backups import is_late, known_backups
from monitoring.database import pool_used_ratio
from monitoring.health.probes import judged, milliseconds, reading, seconds_of
from monitoring.health.readings import Reading, Status
from monitoring.schedule import ScheduleRun, is_overdue
from security.outbox import oldest_waiting

SCHEDULE = ("schedule:overdue", False)
OUTBOX = ("outbox:oldest", False)
CLOCK = ("clock:offset", False)
REPLICATION = ("database:replicationLag", False)
LOCKS = ("database:lockWait", False)
SIZE = ("database:size", False)
POOL = ("database:poolUsed", False)
MAIL = ("mail:responseTime", False)
BACKUP = ("backup:age", False)

MOST_WAITING = timedelta(minutes=10)
# Tokens live for minutes and codes of a second factor for thirty seconds: a clock that is off by more ends sign-ins.
MOST_OFFSET_SECONDS = 2.0
MOST_REPLICATION_SECONDS = 30.0
# Our own statements give up waiting then: what waits for longer is not ours alone.
MOST_LOCK_WAIT_SECONDS = 5.0
MOST_POOL_PERCENT = 80.0
MAIL_SECONDS = 3.0

# `can_read` false: the account sees that there are replicas, and not how far behind.
_REPLICAS = """
SELECT count(*), coalesce(max(extract(epoch FROM replay_lag)), 0)::float8,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
FROM pg_stat_replication
"""
_SIZES = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}
_LOCKS = """
SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8
FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"


class OperationProbe:
    """Schedule, outbox, backups, size, clock, locks and replicas, by one connection of its own."""

    def __call__(self) -> Sequence[Reading]:
        connection = connections["default"]
        try:
            found = [_schedule(), _outbox(), _backups()]
            with connection.cursor() as cursor:
                (size,) = _asked(cursor, _SIZES[connection.vendor])
                found.append(reading(SIZE, Status.PASS, value=size, unit="bytes"))
                if connection.vendor == "postgresql":
                    found += [_clock(cursor), _lock_wait(cursor), *_replication(cursor)]
        except DatabaseError as error:
            return [judged(which, fault=type(error).__name__) for which in (SCHEDULE, BACKUP)]
        finally:
            connection.close()
        return found


def _asked(cursor: Any, question: str) -> Any:
    cursor.execute(question)
    return cursor.fetchone()


def _schedule() -> Reading:
    now = datetime.now(UTC)
    runs = list(ScheduleRun.objects.order_by("name"))
    late = [run.name for run in runs if is_overdue(run, now)]
    fault = f"overdue: {', '.join(late)}" if late else "" if runs else "nobody has run it yet"
    return judged(SCHEDULE, value=len(late), unit="functions", fault=fault)


def _outbox() -> Reading:
    oldest = oldest_waiting()
    age = datetime.now(UTC) - oldest if oldest else timedelta()
    fault = "a message is not delivered" if age > MOST_WAITING else ""
    return judged(OUTBOX, value=seconds_of(age), unit="s", fault=fault)


def _backups() -> Reading:
    """Age of the last backup of the target whose is oldest, as operators' own jobs told.

    Where none ever told it says so, and never that all is well; whoever is served loses nothing by it.
    """
    known, now = known_backups(), datetime.now(UTC)
    if not known:
        return reading(BACKUP, Status.WARN, output="not configured", degrades=False)
    late = [backup.target for backup in known if is_late(backup, now)]
    fault = f"late: {', '.join(late)}" if late else ""
    return judged(BACKUP, value=seconds_of(now - known[0].finished_at), unit="s", fault=fault)


def _clock(cursor: Any) -> Reading:
    """How far this host's clock is ahead of the database's, less what the question itself may have taken."""
    started, before = perf_counter(), datetime.now(UTC).timestamp()
    (theirs,) = _asked(cursor, _CLOCK)
    half = (perf_counter() - started) / 2
    offset = before + half - theirs
    is_off = abs(offset) - half > MOST_OFFSET_SECONDS
    fault = "this host's clock and the database's differ" if is_off else ""
    return judged(CLOCK, value=round(offset, 3), unit="s", fault=fault)


def _lock_wait(cursor: Any) -> Reading:
    """How long the statement runs that has waited for a lock for longest, of those that this account may see."""
    waiting, longest = _asked(cursor, _LOCKS)
    fault = f"{waiting} wait{'s' if waiting == 1 else ''} for a lock" if longest > MOST_LOCK_WAIT_SECONDS else ""
    return judged(LOCKS, value=round(longest, 1), unit="s", fault=fault)


def _replication(cursor: Any) -> Sequence[Reading]:
    """Of the replica that is furthest behind; nothing where there is none."""
    replicas, lag, can_read = _asked(cursor, _REPLICAS)
    if not replicas:
        return []
    if not can_read:
        return [judged(REPLICATION, fault="not permitted to read it: grant pg_read_all_stats")]
    fault = "a replica is behind" if lag > MOST_REPLICATION_SECONDS else ""
    return [judged(REPLICATION, value=round(lag, 1), unit="s", fault=fault)]


class PoolProbe:
    """How much of this process's pool of connections is in use; nothing where threads hold their own."""

    def __call__(self) -> Sequence[Reading]:
        used = pool_used_ratio()
        if used is None:
            return []
        percent = round(100 * used, 1)
        is_tight = percent > MOST_POOL_PERCENT
        return [reading(POOL, Status.WARN if is_tight else Status.PASS, value=percent, unit="percent")]


class MailProbe:
    """Connects to the relay and says EHLO; nothing where mail goes elsewhere than to a relay. It sends no mail."""

    def __call__(self) -> Sequence[Reading]:
        if settings.EMAIL_BACKEND != "django.core.mail.backends.smtp.EmailBackend":
            return []
        started = perf_counter()
        try:
            relay: smtplib.SMTP = (
                smtplib.SMTP_SSL(
                    settings.EMAIL_HOST,
                    settings.EMAIL_PORT,
                    timeout=MAIL_SECONDS,
                    context=ssl.create_default_context(),
                )
                if settings.EMAIL_USE_SSL
                else smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=MAIL_SECONDS)
            )
            with relay:
                code, _ = relay.ehlo()
        except OSError as error:  # smtplib's own are of it too
            return [reading(MAIL, Status.FAIL, output=type(error).__name__)]
        is_well = code == 250
        output = "" if is_well else "EHLO was refused"
        status = Status.PASS if is_well else Status.FAIL
        return [reading(MAIL, status, value=milliseconds(started), unit="ms", output=output)]
