"""Runs one planted workload in a process on its own database, asks for advice, and holds it against an expert's.

    python -m tests.performance.advice_run NAME [--no-shapes] [--no-judge] [--show]

Prints one JSON object. P: the share of advised indexes without which some statement gets worse. R: the share of
statements with a missing index that cost about what they would with an expert's. S: the share of the time that the
expert's would save. All costs are of real indexes, built after the advice was given, by the planner.
"""

import argparse
import json
import re
import time
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import DatabaseError, connection  # noqa: E402
from psycopg import ClientCursor  # noqa: E402

from monitoring.database import advice, flush  # noqa: E402
from monitoring.database.advice.services import Advice  # noqa: E402
from monitoring.database.models import RecordedStatement  # noqa: E402
from tests.performance.planted import Asked, Planted  # noqa: E402

NEAR, NEAR_UNITS = 1.5, 15.0
WORSE, WORSE_UNITS = 1.2, 10.0


def prepare(planted: Planted) -> None:
    call_command("migrate", "monitoring", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # of the whole session: a slow machine fills it all the same
        cursor.execute(planted.schema)
        for text in planted.invalidate:
            with suppress(DatabaseError):
                cursor.execute(text)
        cursor.execute("VACUUM ANALYZE")


def work(planted: Planted) -> None:
    """Run the workload, with the recorder on, as a server would."""
    with connection.cursor() as cursor:
        with suppress(DatabaseError):
            cursor.execute("SELECT pg_stat_statements_reset()")
        for asked in planted.workload:
            for call in range(asked.calls):
                cursor.execute(asked.sql, asked.values[call % len(asked.values)])
    flush()


class Judge:
    """Costs of the workload under sets of real indexes."""

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        connection.ensure_connection()
        self._client = ClientCursor(connection.connection)
        connection.connection.cursor_factory = type(connection.connection.cursor())

    def costs(self, indexes: list[str]) -> list[float]:
        """Cost of each statement with `indexes`, which are built and dropped."""
        before = self._names()
        with connection.cursor() as cursor:
            for sql in indexes:
                cursor.execute(re.sub(r"CONCURRENTLY IF NOT EXISTS ", "", sql))
            cursor.execute("ANALYZE")  # expressions have statistics once their index is there
            found = self.now()
            for name in self._names() - before:
                cursor.execute(f'DROP INDEX "{name}"')
        return found

    def leave_one_out(self, indexes: list[str]) -> list[list[float]]:
        """Costs with all but one of `indexes`, for each."""
        before, told = self._names(), []
        with connection.cursor() as cursor:
            names = []
            for sql in indexes:
                known = self._names()
                cursor.execute(re.sub(r"CONCURRENTLY IF NOT EXISTS ", "", sql))
                names.append(next(iter(self._names() - known)))
            cursor.execute("ANALYZE")
            for name in names:
                cursor.execute("BEGIN")
                cursor.execute(f'DROP INDEX "{name}"')
                told.append(self.now())
                cursor.execute("ROLLBACK")
            for name in self._names() - before:
                cursor.execute(f'DROP INDEX "{name}"')
        return told

    def now(self) -> list[float]:
        return [self._cost(asked) for asked in self.planted.workload]

    def _cost(self, asked: Asked) -> float:
        # Over all its values: one index must serve the common one too.
        costs = []
        for values in asked.values[:3]:
            self._client.execute("EXPLAIN (FORMAT JSON) " + self._client.mogrify(asked.sql, values or None))
            costs.append(float(self._client.fetchone()[0][0]["Plan"]["Total Cost"]))
        return sum(costs) / len(costs)

    def _names(self) -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
            return {name for (name,) in cursor.fetchall()}


def judge(planted: Planted, given: Advice) -> dict[str, Any]:
    stand = Judge(planted)
    advised = [index.sql for index in given.indexes]
    expert = list(dict.fromkeys(sql for asked in planted.workload for sql in asked.oracle))
    base, ours, theirs = stand.costs([]), stand.costs(advised), stand.costs(expert)
    cascades = {match for asked in planted.workload if asked.is_cascade for match in map(_place, asked.oracle)}
    found_cascades = {(one.table, one.keys[0].strip('"')) for one in given.indexes} & cascades
    missed, wanted = [], 0
    for asked, mine, best in zip(planted.workload, ours, theirs, strict=True):
        if not asked.oracle:
            continue
        wanted += 1
        is_met = (
            set(map(_place, asked.oracle)) <= found_cascades
            if asked.is_cascade
            else (mine <= NEAR * best or mine <= best + NEAR_UNITS)
        )
        if not is_met:
            missed.append(f"{asked.sql[:150]}: {mine:.0f} against {best:.0f}")
    useless = []
    for index, costs in zip(given.indexes, stand.leave_one_out(advised), strict=True):
        worse = any(c > WORSE * m and c > m + WORSE_UNITS for c, m in zip(costs, ours, strict=True))
        if not worse and (index.table, index.keys[0].strip('"')) not in cascades:
            useless.append(index.sql)
    weight = [asked.calls / len(base) for asked in planted.workload]
    saved = sum(w * (b - m) for w, b, m in zip(weight, base, ours, strict=True))
    could = sum(w * (b - t) for w, b, t in zip(weight, base, theirs, strict=True))
    by_kind: dict[str, set[str]] = {}
    for one in given.upkeep:
        by_kind.setdefault(one.kind, set()).add(one.index)
    planned = {"redundant": planted.redundant, "invalid": planted.invalid, "bloated": planted.bloated}
    return {
        "P": round(1 - len(useless) / max(1, len(advised)), 2),
        "R": round(1 - len(missed) / wanted, 2),
        "S": round(saved / could, 2),
        "advised": len(advised),
        "wanted": wanted,
        "unsafe_removals": sorted((by_kind.get("redundant", set()) | by_kind.get("unused", set())) - planted.redundant),
        **{kind: f"{len(names & by_kind.get(kind, set()))}/{len(names)}" for kind, names in planned.items()},
        "missed": missed,
        "useless": useless,
    }


def _place(sql: str) -> tuple[str, str]:
    match = re.match(r"CREATE INDEX ON (\w+) \((\w+)", sql)
    return (match[1], match[2]) if match else ("", "")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--no-shapes", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--no-judge", action="store_true")
    options = parser.parse_args()
    planted: Planted = import_module(f"tests.performance.planted.{options.name}").PLANTED
    prepare(planted)
    work(planted)
    if options.no_shapes:
        RecordedStatement.objects.update(shapes=[])
    advice()  # the first imports the parser, as a command's start would
    started = time.perf_counter()
    given = advice()
    seconds = time.perf_counter() - started
    told = {"set": options.name, "source": given.source, "seconds": round(seconds, 2), "plans": given.plans}
    if not options.no_judge:
        told |= judge(planted, given)
    if options.show:
        told["advice"] = [
            {k: v for k, v in asdict(one).items() if k in ("sql", "reason", "confidence", "saves_ms", "meta")}
            for one in given.indexes
        ]
        told["not_read"] = [one.text for one in RecordedStatement.objects.filter(fingerprint__in=given.not_read)]
        told["notes"] = given.notes
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
