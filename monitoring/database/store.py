"""Writes what the recorders of this process added up: to the histogram, and to one row a statement."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from monitoring.database.models import RecordedStatement
from monitoring.database.recorder import Recorder, Statement, recorders
from monitoring.database.shapes import MOST_COMMON_VALUES, IsCommon, shapes
from monitoring.metrics import metrics
from monitoring.periodic import is_away

logger = logging.getLogger("koshflow.database")

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
    """A statement's numbers, taken off what is still to be written."""

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


def flush() -> int:
    """Write what was added up since the last time; how many statements it was.

    What a database that is away does not take stays for the next time. Raises django.db.Error then.
    """
    now = timezone.now()
    written = 0
    for recorder in recorders():
        _publish(recorder)
        seen = _take(recorder)
        if not seen:
            continue
        try:
            written += _add(recorder.alias, seen, now)
        except Exception:
            _give_back(recorder, seen)
            raise
    return written


def purge_statements() -> int:
    """Delete what nobody ran for 30 days, and the longest unseen above 5,000; how many."""
    deleted, _ = RecordedStatement.objects.filter(last_seen_at__lt=timezone.now() - KEPT).delete()
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


def _take(recorder: Recorder) -> list[_Seen]:
    """What waits to be written; what comes in from now on is counted afresh."""
    now = monotonic()
    seen = []
    with recorder.lock:
        for s in recorder.statements.values():
            if not s.calls or s.folded.is_control:
                continue
            seen.append(_Seen(s, s.calls, s.seconds, s.longest, s.rows, s.slow, s.runaways, s.route, s.site, s.sample))
            s.calls = s.rows = s.slow = s.runaways = 0
            s.seconds = s.longest = 0.0
            s.route = s.site = ""
            if s.sample is not None:
                s.sample, s.learnt_at = None, now
            elif now - s.learnt_at > RELEARN_SECONDS:
                s.wanted = True
    return seen


def _give_back(recorder: Recorder, seen: Iterable[_Seen]) -> None:
    with recorder.lock:
        for one in seen:
            s = one.statement
            s.calls += one.calls
            s.seconds += one.seconds
            s.slow += one.slow
            s.runaways += one.runaways
            s.longest, s.rows = max(s.longest, one.longest), max(s.rows, one.rows)
            if not s.site:
                s.route, s.site = one.route, one.site
            if s.sample is None:
                s.sample = one.sample


def _add(alias: str, seen: Iterable[_Seen], now: datetime) -> int:
    """Write a row for each, all or none; where one of them is refused, each by itself. How many that was."""
    connection = connections[router.db_for_write(RecordedStatement)]
    common = _Common(connections[alias])
    at = connection.ops.adapt_datetimefield_value(now)
    # In one order, or two processes could wait for each other's rows.
    rows = [_row(alias, one, common, at) for one in sorted(seen, key=lambda one: one.statement.folded.fingerprint)]
    try:
        _write(connection, rows)
    except Exception as error:
        if is_away(error):
            raise
        return sum(_is_written(connection, row) for row in rows)
    return len(rows)


def _row(alias: str, one: _Seen, common: IsCommon, at: Any) -> tuple[Any, ...]:
    folded = one.statement.folded
    try:
        learnt = shapes(folded, one.sample, common) if one.sample is not None else []
        told = json.dumps(learnt)
    except Exception as error:  # noqa: BLE001 - values are of any kind, and the numbers tell without them
        logger.warning("statement_shapes_unknown", extra=_named(folded.fingerprint, error))
        learnt, told = [], "[]"
    return (
        alias, folded.fingerprint, folded.operation, folded.text, one.calls, one.seconds * 1000,
        one.longest * 1000, one.rows, one.slow, one.runaways, one.route[:200], one.site[:300],
        told, at, at, bool(learnt),
    )  # fmt: skip


def _write(connection: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.executemany(_ADD, rows)


def _is_written(connection: Any, row: tuple[Any, ...]) -> bool:
    alias, fingerprint, *_ = row
    try:
        _write(connection, [row])
    except Exception as error:  # noqa: BLE001 - a text that the database does not take must not hold up the others
        metrics().db_records_lost.labels(alias).inc()
        logger.warning("statement_not_kept", extra=_named(fingerprint, error))
        return False
    return True


def _named(fingerprint: str, error: Exception) -> dict[str, str]:
    # Not the text of the error, which may quote a value.
    return {"sql_fingerprint": fingerprint, "error": type(error).__name__}


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
