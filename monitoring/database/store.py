"""Writes what the recorders of this process added up: to the histogram, and to one row a statement."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import DatabaseError, connections, router, transaction
from django.utils import timezone

from monitoring.database.models import RecordedStatement
from monitoring.database.recorder import Recorder, Statement, recorders
from monitoring.database.shapes import MOST_COMMON_VALUES, shapes
from monitoring.metrics import metrics

MAX_ROWS = 5000
KEPT = timedelta(days=30)
# Shapes are learnt anew now and then: what a statement is run with changes with who uses it.
RELEARN_SECONDS = 6 * 3600.0

_ADD = """
INSERT INTO monitoring_statement AS kept (alias, fingerprint, operation, text, calls, total_ms, max_ms, rows,
    slow_calls, repeats, route, call_site, shapes, plan_hash, first_seen_at, last_seen_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '', %s, %s)
ON CONFLICT (alias, fingerprint) DO UPDATE SET
    calls = kept.calls + excluded.calls,
    total_ms = kept.total_ms + excluded.total_ms,
    max_ms = CASE WHEN excluded.max_ms > kept.max_ms THEN excluded.max_ms ELSE kept.max_ms END,
    rows = CASE WHEN excluded.rows > kept.rows THEN excluded.rows ELSE kept.rows END,
    slow_calls = kept.slow_calls + excluded.slow_calls,
    repeats = kept.repeats + excluded.repeats,
    route = CASE WHEN excluded.call_site = '' THEN kept.route ELSE excluded.route END,
    call_site = CASE WHEN excluded.call_site = '' THEN kept.call_site ELSE excluded.call_site END,
    shapes = CASE WHEN %s THEN excluded.shapes ELSE kept.shapes END,
    last_seen_at = excluded.last_seen_at
"""
# Sensitive by its name or not: only what the server itself keeps as a common value of a column with few.
_COMMON = """
SELECT most_common_vals::text::text[] FROM pg_stats
WHERE schemaname = ANY (current_schemas(false)) AND tablename = %s AND attname = %s AND n_distinct BETWEEN 1 AND %s
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A statement's numbers at the moment of a flush."""

    statement: Statement
    calls: int
    seconds: float
    longest: float
    rows: int
    slow: int
    runaways: int
    route: str
    site: str
    sample: Any


def flush(*, now: datetime | None = None) -> int:
    """Write what was added up since the last time; how many statements it was.

    What cannot be written stays for the next time. Raises django.db.DatabaseError then.
    """
    now = now or timezone.now()
    written = 0
    for recorder in recorders():
        _publish(recorder)
        seen = _seen(recorder)
        if not seen:
            continue
        try:
            _add(recorder.alias, seen, now)
        except DatabaseError:
            metrics().db_records_lost.labels(recorder.alias).inc()
            raise
        _settle(recorder, seen)
        written += len(seen)
    return written


def purge_statements(*, now: datetime | None = None) -> int:
    """Delete what nobody ran for 30 days, and the longest unseen above 5,000; how many."""
    now = now or timezone.now()
    deleted, _ = RecordedStatement.objects.filter(last_seen_at__lt=now - KEPT).delete()
    surplus = RecordedStatement.objects.order_by("-last_seen_at").values_list("pk", flat=True)[MAX_ROWS:]
    more, _ = RecordedStatement.objects.filter(pk__in=list(surplus)).delete()
    return deleted + more


def _publish(recorder: Recorder) -> None:
    with recorder.lock:
        taken = [(name, list(one.by_bucket), one.seconds) for name, one in recorder.durations.items()]
        for one in recorder.durations.values():
            one.by_bucket[:] = [0] * len(one.by_bucket)
            one.seconds = 0.0
    for operation, by_bucket, seconds in taken:
        if any(by_bucket):
            metrics().statements_ran(alias=recorder.alias, operation=operation, by_bucket=by_bucket, seconds=seconds)


def _seen(recorder: Recorder) -> list[_Seen]:
    with recorder.lock:
        return [
            _Seen(s, s.calls, s.seconds, s.longest, s.rows, s.slow, s.runaways, s.route, s.site, s.sample)
            for s in recorder.statements.values()
            if s.calls and not s.folded.is_control
        ]


def _settle(recorder: Recorder, seen: Iterable[_Seen]) -> None:
    """Take off what was written; what came in meanwhile stays."""
    now = monotonic()
    with recorder.lock:
        for one in seen:
            statement = one.statement
            statement.calls -= one.calls
            statement.seconds -= one.seconds
            statement.slow -= one.slow
            statement.runaways -= one.runaways
            statement.longest, statement.rows, statement.route, statement.site = 0.0, 0, "", ""
            if one.sample is not None:
                statement.sample, statement.learnt_at = None, now
            elif now - statement.learnt_at > RELEARN_SECONDS:
                statement.wanted = True


def _add(alias: str, seen: Iterable[_Seen], now: datetime) -> None:
    connection = connections[router.db_for_write(RecordedStatement)]
    common = _Common(connections[alias])
    at = connection.ops.adapt_datetimefield_value(now)
    rows = []
    # In one order, or two processes could wait for each other's rows.
    for one in sorted(seen, key=lambda one: one.statement.folded.fingerprint):
        folded = one.statement.folded
        learnt = shapes(folded, one.sample, common) if one.sample is not None else []
        rows.append(
            (
                alias, folded.fingerprint, folded.operation, folded.text, one.calls, one.seconds * 1000,
                one.longest * 1000, one.rows, one.slow, one.runaways, one.route[:200], one.site[:300],
                json.dumps(learnt), at, at, bool(learnt),
            )
        )  # fmt: skip
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.executemany(_ADD, rows)


class _Common:
    """Asks the statistics of a PostgreSQL database, a column at a time; elsewhere no value is public."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def __call__(self, table: str, column: str, value: str) -> bool:
        if self._connection.vendor != "postgresql" or not table:
            return False
        key = table, column
        if key not in self._known:
            with self._connection.cursor() as cursor:
                cursor.execute(_COMMON, [table, column, MOST_COMMON_VALUES])
                row = cursor.fetchone()
            self._known[key] = frozenset(row[0] or ()) if row else frozenset()
        return {"true": "t", "false": "f"}.get(value, value) in self._known[key]
