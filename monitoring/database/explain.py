"""Asks a database how it would run a statement, and never runs it: no ANALYZE, short time-outs, rolled back."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from django.db import transaction

_LIMITS = "SELECT set_config('statement_timeout', '5s', true), set_config('lock_timeout', '500ms', true)"
_GENERIC = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true)"
_EXPLAIN = "EXPLAIN (FORMAT JSON) "
_QUERY_PLAN = "EXPLAIN QUERY PLAN "
_PREPARED = "kf_statement"


@contextmanager
def planning(connection: Any) -> Iterator[Any]:
    """A cursor in a transaction that is rolled back, in which nothing waits long for a lock or an answer."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_LIMITS)
        yield cursor
        transaction.set_rollback(True, using=connection.alias)


def plan(cursor: Any, sql: str, values: Sequence[str] = ()) -> dict[str, Any]:
    """PostgreSQL's plan of `sql` for `values`, bound at each `%s`. Raises django.db.DatabaseError."""
    text = _EXPLAIN + sql
    cursor.execute(text, values)
    return _document(cursor.fetchone()[0])


def generic_plan(cursor: Any, text: str) -> dict[str, Any]:
    """PostgreSQL's plan for any values of `$1`, `$2` …; works from release 12 on. Raises django.db.DatabaseError."""
    with _prepared(cursor, text) as types:
        cursor.execute(_GENERIC)
        nulls = ", ".join(["NULL"] * len(types))
        execute = f"{_EXPLAIN} EXECUTE {_PREPARED}" + (f"({nulls})" if nulls else "")
        cursor.execute(execute)
        return _document(cursor.fetchone()[0])


def parameter_types(cursor: Any, text: str) -> list[str]:
    """Of which types PostgreSQL wants `$1`, `$2` … to be. Raises django.db.DatabaseError."""
    with _prepared(cursor, text) as types:
        return types


@contextmanager
def _prepared(cursor: Any, text: str) -> Iterator[list[str]]:
    prepare = f"PREPARE {_PREPARED} AS {text}"
    cursor.execute(prepare)
    try:
        # What fails inside is undone up to here: an aborted transaction would not take the last word below.
        with transaction.atomic(using=cursor.db.alias):
            cursor.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s", [_PREPARED])
            yield list(cursor.fetchone()[0])
    finally:
        # A prepared statement outlives the transaction.
        cursor.execute("DEALLOCATE kf_statement")


def sqlite_plan(cursor: Any, text: str, count: int) -> dict[str, Any]:
    """SQLite's query plan for `text` with `count` values, as a list of steps."""
    explain = _QUERY_PLAN + text
    # Past Django, whose cursor would look for %s: `$1` is a name to SQLite.
    rows = cursor.cursor.connection.execute(explain, {str(n): None for n in range(1, count + 1)}).fetchall()
    return {"steps": [row[3] for row in rows]}


def _document(told: Any) -> dict[str, Any]:
    [document] = json.loads(told) if isinstance(told, str) else told
    found: dict[str, Any] = document["Plan"]
    return found


def cost(found: dict[str, Any]) -> float:
    """The planner's estimate for the whole statement."""
    return float(found["Total Cost"])


def expected_rows(found: dict[str, Any]) -> float:
    """How many rows the planner expects of it; of a change, how many it changes."""
    while found["Node Type"] == "ModifyTable":
        [found, *_] = found["Plans"]
    return float(found["Plan Rows"])


def nodes(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan, outermost first."""
    yield found
    for inner in found.get("Plans", ()):
        yield from nodes(inner)


def indexes(found: dict[str, Any]) -> set[str]:
    """Names of the indexes that a plan reads."""
    return {node["Index Name"] for node in nodes(found) if "Index Name" in node}


def outline(found: dict[str, Any]) -> list[str]:
    """What a plan does, without numbers: one line a node, such as `Index Scan accounts_user by accounts_user_pkey`."""
    if "steps" in found:
        return list(found["steps"])
    told = []
    for node in nodes(found):
        words = [node["Node Type"], node.get("Relation Name", "")]
        words += ["by", node["Index Name"]] if "Index Name" in node else []
        told.append(" ".join(word for word in words if word))
    return told


def digest(lines: list[str]) -> str:
    """A short name for an outline: another name, another plan."""
    return blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
