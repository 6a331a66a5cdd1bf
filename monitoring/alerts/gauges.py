"""What the evaluator measures itself at each run, by name: the database's own state, the audit log's, the outbox's.

What it cannot see here (another database, no witness) is None, and its rule stays as it is.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db import connection

from monitoring.schedule import overdue
from security.outbox import OutboxMessage, oldest_waiting
from security.tlog import configured_witnesses, last_verification, oldest_pending, witness_lag

DEADLOCKS = "kf_db_deadlocks"
_GIVEN_UP_WITHIN = timedelta(hours=1)

_CONNECTIONS = """
SELECT count(*)::float8 / current_setting('max_connections')::float8 FROM pg_stat_activity
WHERE backend_type = 'client backend'
"""
_IDLE = """
SELECT coalesce(max(extract(epoch FROM now() - state_change)), 0)::float8 FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""
_LONGEST = """
SELECT coalesce(max(extract(epoch FROM now() - query_start)), 0)::float8 FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
AND backend_type = 'client backend'
"""
_DEADLOCKS = "SELECT deadlocks::float8 FROM pg_stat_database WHERE datname = current_database()"


def _asked(statement: str) -> float | None:
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
    return None if row is None else float(row[0])


def _audit_faults(_now: datetime) -> float:
    run = last_verification()
    return 0.0 if run is None else float(len(run.faults))


def _seal_lag(now: datetime) -> float:
    oldest = oldest_pending()
    return 0.0 if oldest is None else (now - oldest).total_seconds()


def _witness_lag(now: datetime) -> float | None:
    return witness_lag(now).total_seconds() if configured_witnesses() else None


def _outbox_oldest(now: datetime) -> float:
    oldest = oldest_waiting()
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def _given_up(now: datetime) -> float:
    return float(OutboxMessage.objects.dead().filter(settled_at__gt=now - _GIVEN_UP_WITHIN).count())


GAUGES: Mapping[str, Callable[[datetime], float | None]] = {
    "audit_faults": _audit_faults,
    "audit_seal_lag_seconds": _seal_lag,
    "audit_witness_lag_seconds": _witness_lag,
    "db_connections_ratio": lambda _now: _asked(_CONNECTIONS),
    "db_idle_in_transaction_seconds": lambda _now: _asked(_IDLE),
    "db_longest_query_seconds": lambda _now: _asked(_LONGEST),
    "outbox_given_up": _given_up,
    "outbox_oldest_seconds": _outbox_oldest,
    "schedule_overdue": lambda now: float(len(overdue(now))),
}


def deadlocks() -> float | None:
    """How many the database has counted; its growth is what a rule looks at."""
    return _asked(_DEADLOCKS)
