"""What the evaluator measures itself at each run, by name: the database's own state, the audit log's, the outbox's.

What it cannot see here (another database, no witness) is None, and its rule stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection

from monitoring.backups import is_late, known_backups
from monitoring.database.advice.schema import BEING_BUILT
from monitoring.rollups import series_part
from monitoring.schedule import overdue
from security.outbox import OutboxMessage, oldest_waiting
from security.siem import standing
from security.tlog import configured_witnesses, last_verification, longest_gap, oldest_pending, witness_lag

DEADLOCKS = "kf_db_deadlocks"
BLOCKS = "kf_db_blocks"
BLOCKS_MISSED = "kf_db_blocks_missed"
# A log that stood still while the evaluator did is told of when both are back.
_GAP_WITHIN = timedelta(hours=1)
_GIVEN_UP_WITHIN = timedelta(hours=1)

# Of what another role's session is, we are told without pg_monitor only whose it is and in which database.
_CONNECTIONS = """
SELECT count(*)::float8 / current_setting('max_connections')::float8 FROM pg_stat_activity
WHERE backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL AND datid IS NOT NULL)
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
_COUNTS = """
SELECT deadlocks::float8, (blks_hit + blks_read)::float8, blks_read::float8
FROM pg_stat_database WHERE datname = current_database()
"""
# Of the age at which VACUUM drops everything else to save the database (PostgreSQL, 25.1.5 Preventing Transaction ID
# Wraparound Failures). Any database stops the whole server, so all are asked. Before 14 the settings did not exist.
_WRAPAROUND = """
SELECT max(greatest(
    age(datfrozenxid) / coalesce(nullif(current_setting('vacuum_failsafe_age', true), '0')::float8, 1.6e9),
    mxid_age(datminmxid) / coalesce(nullif(current_setting('vacuum_multixact_failsafe_age', true), '0')::float8, 1.6e9)
)) FROM pg_database
"""
# One that is being built is not valid yet either.
_INVALID_INDEXES = f"""
SELECT count(*)::float8 FROM pg_index i WHERE NOT (i.indisvalid AND i.indisready) AND NOT {BEING_BUILT}
"""  # noqa: S608
# A replica that is away is in no list of connections; its slot, which then keeps the log for it, is still there.
_REPLICA = """
SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), at))::float8 FROM (
    SELECT replay_lsn AS at FROM pg_stat_replication
    UNION ALL SELECT coalesce(confirmed_flush_lsn, restart_lsn) FROM pg_replication_slots WHERE NOT temporary
) AS replicas
"""


def _row(statement: str) -> tuple[float | None, ...]:
    """The row that PostgreSQL answers; () on another database, and where it has none."""
    if connection.vendor != "postgresql":
        return ()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() or ()


def _asked(statement: str) -> float | None:
    return next(iter(_row(statement)), None)


def _audit_faults(_now: datetime) -> float:
    run = last_verification()
    return 0.0 if run is None else float(len(run.faults))


def _seal_lag(now: datetime) -> float:
    oldest = oldest_pending()
    return 0.0 if oldest is None else (now - oldest).total_seconds()


def _witness_lag(now: datetime) -> float | None:
    return witness_lag(now).total_seconds() if configured_witnesses() else None


def _heartbeat_gap(now: datetime) -> float:
    return longest_gap(now, within=_GAP_WITHIN).total_seconds()


def _forward_lag(now: datetime) -> float | None:
    told = standing(now)
    return None if told is None else told.lag.total_seconds()


def _outbox_oldest(now: datetime) -> float:
    oldest = oldest_waiting()
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def _given_up(now: datetime) -> float:
    return float(OutboxMessage.objects.dead().filter(settled_at__gt=now - _GIVEN_UP_WITHIN).count())


def _backup_age(now: datetime) -> float:
    # 0 and not None once no target is left: whoever forgets the last one ends its alert.
    return max(((now - backup.finished_at).total_seconds() for backup in known_backups()), default=0.0)


def _late_backups(now: datetime) -> Sequence[str]:
    return [backup.target for backup in known_backups() if is_late(backup, now)]


GAUGES: Mapping[str, Callable[[datetime], float | None]] = {
    "audit_faults": _audit_faults,
    "audit_forward_lag_seconds": _forward_lag,
    "audit_heartbeat_gap_seconds": _heartbeat_gap,
    "audit_seal_lag_seconds": _seal_lag,
    "audit_witness_lag_seconds": _witness_lag,
    "backup_age_seconds": _backup_age,
    "db_connections_ratio": lambda _now: _asked(_CONNECTIONS),
    "db_idle_in_transaction_seconds": lambda _now: _asked(_IDLE),
    "db_invalid_indexes": lambda _now: _asked(_INVALID_INDEXES),
    "db_longest_query_seconds": lambda _now: _asked(_LONGEST),
    "db_replica_behind_bytes": lambda _now: _asked(_REPLICA),
    "db_wraparound_ratio": lambda _now: _asked(_WRAPAROUND),
    "outbox_given_up": _given_up,
    "outbox_oldest_seconds": _outbox_oldest,
    "schedule_overdue": lambda now: float(len(overdue(now))),
    "rollup_series_ratio": lambda _now: series_part(),
}
# Of a gauge that is the worst of many: which ones are beyond what is allowed. Names that an operator gave.
ABOUT: Mapping[str, Callable[[datetime], Sequence[str]]] = {"backup_age_seconds": _late_backups}


def database_counts() -> dict[str, float]:
    """What PostgreSQL has counted so far, by name: rules look at its growth. {} on another database."""
    counted = zip((DEADLOCKS, BLOCKS, BLOCKS_MISSED), _row(_COUNTS), strict=False)
    return {name: value for name, value in counted if value is not None}
