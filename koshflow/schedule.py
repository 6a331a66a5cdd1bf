"""Binds the functions of the apps to a clock: one table. It does not run it.

On PostgreSQL `koshflow.worker` runs the table, once per cluster; on SQLite `koshflow.embedded` does, inside
the server. Slots may be skipped and, rarely, repeated: every function is idempotent, ends by itself, and
keeps its state in rows of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.erasure import destroy_released_keys
from accounts.passwords.reset import purge_password_resets
from accounts.sessions.services import purge_sessions
from accounts.staff.cookie_sessions import SessionStore
from accounts.twofactor.challenge import purge_challenges
from monitoring.alerts import evaluate_alerts, ping_watcher
from monitoring.database import purge_statements
from monitoring.metrics import metrics
from monitoring.rollups import fold_rollups
from security.lockout import purge_counters, purge_devices
from security.outbox import deliver_due, purge_messages
from security.posture import run_audit
from security.siem import forward_on_schedule
from security.tlog import beat, seal_on_schedule, verify_on_schedule, witness_checkpoint


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table. `cron` has six fields (minute hour day month weekday second), in UTC.

    `is_apart`: it waits for strangers, so where one thread runs the table this line has a thread of its own.
    """

    name: str
    cron: str
    run: Callable[[], object]
    is_apart: bool = False


SEALING = "seal_audit_log"
SCHEDULE: tuple[Entry, ...] = (
    Entry("deliver_due", "* * * * * */10", deliver_due, is_apart=True),
    Entry(SEALING, "* * * * * */10", seal_on_schedule),
    Entry("audit_heartbeat", "*/15 * * * * 3", beat),
    Entry("witness_checkpoint", "* * * * * */10", witness_checkpoint, is_apart=True),
    Entry("forward_audit_log", "* * * * * */10", forward_on_schedule, is_apart=True),
    Entry("evaluate_alerts", "* * * * * */15", evaluate_alerts),
    Entry("ping_watcher", "* * * * * 21", ping_watcher, is_apart=True),
    Entry("fold_rollups", "* * * * * 7-59/15", fold_rollups),
    Entry("purge_counters", "*/10 * * * * 7", purge_counters),
    Entry("purge_devices", "47 * * * * 53", purge_devices),
    Entry("purge_sessions", "17 * * * * 13", purge_sessions),
    Entry("purge_challenges", "27 * * * * 33", purge_challenges),
    Entry("purge_cookie_sessions", "57 * * * * 23", SessionStore.clear_expired),
    Entry("purge_password_resets", "37 * * * * 43", purge_password_resets),
    Entry("purge_statements", "7 1 * * * 9", purge_statements),
    Entry("destroy_released_keys", "5 0 * * * 49", destroy_released_keys),  # holds end with a day of UTC
    Entry("security_audit", "10 21 * * * 29", run_audit),  # 02:40 in India
    Entry("verify_audit_log", "20 21 * * * 39", verify_on_schedule, is_apart=True),  # 02:50 in India; asks witnesses
    Entry("purge_messages", "40 20 * * * 19", purge_messages),  # 02:10 in India
)


def run_counted(entry: Entry) -> None:
    """Run it and count how that ended. Raises what it raises."""
    outcome = "failed"
    try:
        entry.run()
        outcome = "success"
        metrics().schedule_last_success.labels(entry.name).set_to_current_time()
    finally:
        metrics().schedule_runs.labels(entry.name, outcome).inc()
