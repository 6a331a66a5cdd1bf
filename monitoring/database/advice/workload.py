"""Which statements are worth an index: those of pg_stat_statements, or where that is missing those we recorded."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction

from monitoring.database.fingerprints import fold
from monitoring.database.models import RecordedStatement

LEAST_CALLS = 5
LEAST_MEAN_MS = 1.0
LEAST_SHARE = 0.001
# Our own, the engine's and what asks the catalogue.
_NOT_ADVISED = (
    "monitoring_",
    "procrastinate_",
    "pg_",
    "pgstat",
    "hypopg",
    "information_schema",
    "django_migrations",
    "sqlite_",
)

_STATEMENTS = """
SELECT s.query, s.calls, s.total_exec_time, s.rows FROM pg_stat_statements s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND s.query <> '<insufficient privilege>'
"""
_INFO = "SELECT dealloc, stats_reset FROM pg_stat_statements_info"


@dataclass(frozen=True, slots=True)
class Observed:
    """One statement without values: how often it ran, and for how long in all. `rows` is what it wrote or read."""

    fingerprint: str
    text: str
    operation: str
    calls: int
    total_ms: float
    rows: int
    shapes: tuple[dict[str, Any], ...] = ()

    @property
    def mean_ms(self) -> float:
        """Milliseconds of one call."""
        return self.total_ms / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Workload:
    """All statements of one database. `source` says who saw them; `since` and `evicted` what of them is missing."""

    source: str
    statements: tuple[Observed, ...]
    since: datetime | None = None
    evicted: int = 0

    def rows_a_call(self, one: Observed) -> float | None:
        """How many rows it gives or changes: the mean, or of what we recorded the most; None where nobody knows."""
        if self.source == "pg_stat_statements":
            return one.rows / one.calls
        return float(one.rows) or None

    def worth_it(self) -> list[Observed]:
        """Those that run often and long enough for an index to matter, the dearest first."""
        mine = [one for one in self.statements if not any(word in one.text for word in _NOT_ADVISED)]
        total = sum(one.total_ms for one in mine)
        dear = [
            one
            for one in mine
            if one.operation in ("select", "update", "delete")
            and one.calls >= LEAST_CALLS
            and one.mean_ms >= LEAST_MEAN_MS
            and one.total_ms >= LEAST_SHARE * total
        ]
        return sorted(dear, key=lambda one: -one.total_ms)


def observe(connection: Any) -> Workload:
    """The workload of the database of `connection`."""
    recorded = {row.fingerprint: row for row in RecordedStatement.objects.filter(alias=connection.alias)}
    if connection.vendor == "postgresql":
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                return _from_server(cursor, recorded)
        except DatabaseError:
            # Not installed, not loaded, or not for our role to read: what we recorded ourselves is a workload too.
            return _recorded(recorded.values())
    return _recorded(recorded.values())


def _recorded(rows: Collection[RecordedStatement]) -> Workload:
    statements = (
        Observed(row.fingerprint, row.text, row.operation, row.calls, row.total_ms, row.rows, tuple(row.shapes))
        for row in rows
    )
    since = min((row.first_seen_at for row in rows), default=None)
    return Workload("recorded by KoshFlow", tuple(statements), since)


def _from_server(cursor: Any, recorded: dict[str, RecordedStatement]) -> Workload:
    cursor.execute(_INFO)
    evicted, since = cursor.fetchone()
    cursor.execute(_STATEMENTS)
    return Workload("pg_stat_statements", tuple(_joined(cursor.fetchall(), recorded)), since, evicted)


def _joined(rows: Iterable[Any], recorded: dict[str, RecordedStatement]) -> Iterable[Observed]:
    """Statements that differ in the length of a list are one; shapes are of what we recorded under the same name."""
    found: dict[str, Observed] = {}
    for text, calls, total_ms, count in rows:
        folded = fold(text)
        if folded.is_control:
            continue
        before = found.get(folded.fingerprint)
        own = recorded.get(folded.fingerprint)
        found[folded.fingerprint] = Observed(
            folded.fingerprint,
            folded.text,
            folded.operation,
            calls + (before.calls if before else 0),
            total_ms + (before.total_ms if before else 0.0),
            count + (before.rows if before else 0),
            tuple(own.shapes) if own else (),
        )
    return found.values()
