"""Binds the functions of the apps to a clock: one table. It does not run it.

On PostgreSQL `koshflow.worker` runs the table, once per cluster; on SQLite `koshflow.embedded` does, inside
the server. Slots may be skipped and, rarely, repeated: every function is idempotent, ends by itself, and
keeps its state in rows of its own.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from croniter import croniter
from django.db import Error

from accounts.erasure import destroy_released_keys
from accounts.passwords.reset import purge_password_resets
from accounts.sessions.services import purge_sessions
from accounts.staff.cookie_sessions import SessionStore
from accounts.twofactor.challenge import purge_challenges
from koshflow.session_gauge import count_sessions
from monitoring.alerts import evaluate_alerts, ping_watcher
from monitoring.database import purge_statements, refresh_statistics
from monitoring.metrics import metrics
from monitoring.reviews import review_on_schedule
from monitoring.rollups import fold_rollups
from monitoring.schedule import Slot, expect, note_run
from security.lockout import purge_counters, purge_devices
from security.outbox import deliver_due, purge_messages
from security.posture import run_audit
from security.siem import forward_on_schedule
from security.tlog import beat, seal_on_schedule, verify_on_schedule, witness_checkpoint

logger = logging.getLogger("koshflow.schedule")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table. `cron` has six fields (minute hour day month weekday second), in UTC.

    `is_apart`: it waits for strangers, so where one thread runs the table this line has a thread of its own.
    """

    name: str
    cron: str
    run: Callable[[], object]
    is_apart: bool = False


DELIVERY, SEALING = "deliver_due", "seal_audit_log"
SCHEDULE: tuple[Entry, ...] = (
    Entry(DELIVERY, "* * * * * */10", deliver_due, is_apart=True),
    Entry(SEALING, "* * * * * */10", seal_on_schedule),
    Entry("audit_heartbeat", "*/15 * * * * 3", beat),
    Entry("witness_checkpoint", "* * * * * */10", witness_checkpoint, is_apart=True),
    Entry("forward_audit_log", "* * * * * */10", forward_on_schedule, is_apart=True),
    Entry("evaluate_alerts", "* * * * * */15", evaluate_alerts),
    Entry("ping_watcher", "* * * * * 21", ping_watcher, is_apart=True),
    Entry("fold_rollups", "* * * * * 7-59/15", fold_rollups),
    Entry("count_sessions", "* * * * * 43", count_sessions),
    Entry("purge_counters", "*/10 * * * * 7", purge_counters),
    Entry("purge_devices", "47 * * * * 53", purge_devices),
    Entry("purge_sessions", "17 * * * * 13", purge_sessions),
    Entry("purge_challenges", "27 * * * * 33", purge_challenges),
    Entry("purge_cookie_sessions", "57 * * * * 23", SessionStore.clear_expired),
    Entry("purge_password_resets", "37 * * * * 43", purge_password_resets),
    Entry("purge_statements", "7 1 * * * 9", purge_statements),
    Entry("refresh_statistics", "17 1 * * * 3", refresh_statistics),
    # On Mondays the week, of UTC, is over. Each day, since a worker that was away on Monday never sees that slot again.
    Entry("performance_review", "35 0 * * * 59", review_on_schedule),
    Entry("destroy_released_keys", "5 0 * * * 49", destroy_released_keys),  # holds end with a day of UTC
    Entry("security_audit", "10 21 * * * 29", run_audit),  # 02:40 in India
    Entry("verify_audit_log", "20 21 * * * 39", verify_on_schedule, is_apart=True),  # 02:50 in India; asks witnesses
    Entry("purge_messages", "40 20 * * * 19", purge_messages),  # 02:10 in India
)


def run_counted(entry: Entry) -> None:
    """Run it, count how that ended and write it down. Raises what it raises."""
    outcome, fault = "failed", ""
    started_at, started = datetime.now(UTC), perf_counter()
    try:
        entry.run()
        outcome = "success"
    except BaseException as error:
        fault = type(error).__name__
        raise
    finally:
        metrics().schedule_runs.labels(entry.name, outcome).inc()
        _note(entry, started_at, perf_counter() - started, fault)


def _note(entry: Entry, started_at: datetime, seconds: float, fault: str) -> None:
    now = datetime.now(UTC)
    try:
        note_run(slot(entry, now), started_at=started_at, ended_at=now, seconds=seconds, fault=fault)
    except Error:
        # What ran has run. The row stays behind, and so the function is shown as overdue if this goes on.
        logger.warning("schedule_run_not_noted", extra={"entry": entry.name}, exc_info=True)


def slot(entry: Entry, now: datetime) -> Slot:
    """When `entry` is due after `now`."""
    times = croniter(entry.cron, now)
    first, second = times.get_next(datetime), times.get_next(datetime)
    return Slot(entry.name, next_at=first, interval_seconds=int((second - first).total_seconds()))


def announce(entries: Iterable[Entry] = SCHEDULE) -> None:
    """Say which functions there are, once whoever runs them begins: one that never runs is then missed too."""
    for entry in entries:
        for outcome in ("success", "failed"):
            metrics().schedule_runs.labels(entry.name, outcome)  # at zero before the first
    try:
        expect([slot(entry, datetime.now(UTC)) for entry in entries])
    except Error:
        logger.warning("schedule_not_announced", exc_info=True)
