"""Advice on SQLite: each candidate is built on a copy, and counts if the virtual machine then takes half the steps.

SQLite tells no costs. The copy is made by the backup API, so writers go on; it lies beside the database, mode 0600, and
goes at the end. A database above 512 MB is not copied, and then there is no advice.
"""

import re
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from django.db import DatabaseError

from monitoring.database.advice.answers import COSTED, AdvisedIndex, Served
from monitoring.database.advice.candidates import Candidate, candidates
from monitoring.database.advice.schema import Column, Schema, Table
from monitoring.database.advice.syntax import Use, uses
from monitoring.database.advice.values import fill_structure
from monitoring.database.advice.wording import create_sql, meta_line, migration_line
from monitoring.database.advice.workload import Observed, Workload
from monitoring.database.shapes import Place, places

MOST_BYTES = 512 << 20
LEAST_STEPS = 10_000
MOST_STEPS = 50_000_000
MOST_SECONDS = 20.0
_TICK = 100
_PLACE = re.compile(r"\$(\d+)")
_INSTEAD = {"integer": 1, "number": 1, "boolean": 1, "null": None}


@dataclass(slots=True)
class _Trial:
    """A statement on the copy: its values by name, and what running it takes as things are."""

    observed: Observed
    values: dict[str, Any]
    steps: int
    seconds: float
    candidates: list[Candidate] = field(default_factory=list)


def advise(connection: Any, workload: Workload) -> tuple[list[AdvisedIndex], list[str]]:
    """Indexes that at least halve the steps of some SELECT, and notes.

    Raises django.db.DatabaseError where no copy can be made.
    """
    connection.ensure_connection()
    source = connection.connection
    pages, size = (source.execute(text).fetchone()[0] for text in ("PRAGMA page_count", "PRAGMA page_size"))
    if pages * size > MOST_BYTES:
        return [], [f"a database of {pages * size >> 20} MB is not copied: above 512 MB there is no advice"]
    notes = [] if _has_statistics(source) else ["ANALYZE was never run: PRAGMA optimize gives the planner statistics"]
    folder = Path(connection.settings_dict["NAME"]).parent
    try:
        with (
            tempfile.NamedTemporaryFile(dir=folder, prefix="advice-") as file,
            closing(sqlite3.connect(Path(file.name), isolation_level=None)) as copy,
        ):
            copy.execute("PRAGMA journal_mode=OFF")
            source.backup(copy, pages=1000)
            copy.execute("ANALYZE")
            return _Copy(copy, workload).advise(), notes
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError("no copy of the database could be made") from error


def _has_statistics(source: Any) -> bool:
    found = source.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone()
    return bool(found[0])


class _Copy:
    def __init__(self, copy: sqlite3.Connection, workload: Workload) -> None:
        self._copy = copy
        self._workload = workload
        self._schema = _read(copy)
        self._ends_at = perf_counter() + MOST_SECONDS

    def advise(self) -> list[AdvisedIndex]:
        trials = [trial for one in self._workload.worth_it() if (trial := self._trial(one))]
        found: list[tuple[Candidate, list[tuple[_Trial, int, float]]]] = []
        while perf_counter() < self._ends_at and (best := self._best(trials)):
            candidate, served = best
            create = f"CREATE INDEX kf_kept_{len(found)} ON {_on(candidate)}"
            self._copy.execute(create)
            for trial, steps, seconds in served:
                trial.steps, trial.seconds = steps, seconds
            found.append((candidate, served))
        return [self._told(candidate, served) for candidate, served in found]

    def _trial(self, observed: Observed) -> _Trial | None:
        if observed.operation != "select":
            return None
        try:
            asked = uses(fill_structure(observed.text, observed.shapes))
            values = self._values(observed, asked)
            steps, seconds, _ = self._run(observed.text, values)
        except (ValueError, sqlite3.Error):
            return None
        found = [one for one in candidates(asked, observed.shapes, self._schema) if one.method == "btree"]
        return _Trial(observed, values, steps, seconds, found)

    def _best(self, trials: list[_Trial]) -> tuple[Candidate, list[tuple[_Trial, int, float]]] | None:
        asked: dict[Candidate, list[_Trial]] = {}
        for trial in trials:
            for candidate in trial.candidates:
                if trial.steps > LEAST_STEPS:
                    asked.setdefault(candidate, []).append(trial)
        best, most = None, 0.0
        for candidate in sorted(asked, key=lambda one: len(one.keys)):
            served = self._served(candidate, asked[candidate])
            saved = sum((trial.steps - steps) * trial.observed.calls for trial, steps, _ in served)
            # A wider one must save clearly more than a narrower that came before it.
            if saved > most * 1.05:
                best, most = (candidate, served), saved
        return best

    def _served(self, candidate: Candidate, trials: list[_Trial]) -> list[tuple[_Trial, int, float]]:
        served: list[tuple[_Trial, int, float]] = []
        if perf_counter() > self._ends_at:
            return served
        create = f"CREATE INDEX kf_trial ON {_on(candidate)}"
        try:
            self._copy.execute(create)
        except sqlite3.Error:
            return served
        try:
            for trial in trials:
                explain = f"EXPLAIN QUERY PLAN {trial.observed.text}"
                plan = self._copy.execute(explain, trial.values).fetchall()
                if not any("kf_trial" in row[3] for row in plan):
                    continue
                steps, seconds, _ = self._run(trial.observed.text, trial.values)
                # Steps alone can mislead: an order that comes from the index reads the table row by row.
                is_faster = steps <= 0.5 * trial.steps and seconds <= trial.seconds
                if is_faster and trial.steps - steps >= LEAST_STEPS:
                    served.append((trial, steps, seconds))
        finally:
            self._copy.execute("DROP INDEX kf_trial")
        return served

    def _run(self, text: str, values: dict[str, Any]) -> tuple[int, float, int]:
        ticks = 0

        def tick() -> int:
            nonlocal ticks
            ticks += 1
            return ticks * _TICK > MOST_STEPS  # ends the statement with an error

        best = float("inf")
        for _ in range(2):
            ticks = 0
            self._copy.set_progress_handler(tick, _TICK)
            started = perf_counter()
            rows = len(self._copy.execute(text, values).fetchall())
            best = min(best, perf_counter() - started)
            self._copy.set_progress_handler(None, 0)
        return ticks * _TICK, best, rows

    def _values(self, observed: Observed, asked: list[Use]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for n, place in enumerate(places(observed.text)):
            shape = observed.shapes[n] if n < len(observed.shapes) else {}
            found[str(n + 1)] = self._value(place, shape)
        return found

    def _value(self, place: Place, shape: dict[str, Any]) -> Any:
        if "value" in shape:
            return shape["value"]
        if place.operator in ("LIMIT", "OFFSET"):
            return 21 if place.operator == "LIMIT" else 0
        if shape.get("keys"):
            return shape["keys"][0]
        column = self._schema.column(place.table, place.column)
        if column is None:
            return _INSTEAD.get(shape.get("kind", ""), "x")
        share = {">": 0.9, ">=": 0.9, "<": 0.1, "<=": 0.1, "BETWEEN": 0.8, "AND": 0.9}.get(place.operator, 0.5)
        rows = self._schema.tables[place.table].rows
        # Names come from the copy's own catalogue.
        sql = f'SELECT "{column.name}" FROM "{place.table}" ORDER BY 1 LIMIT 1 OFFSET ?'  # noqa: S608  # nosec B608
        row = self._copy.execute(sql, [int(rows * share)]).fetchone()
        value = row[0] if row else None
        if place.operator == "LIKE" and isinstance(value, str):
            return str(shape.get("like", "x%")).replace("x", value[:5], 1)
        return value

    def _told(self, candidate: Candidate, served: list[tuple[_Trial, int, float]]) -> AdvisedIndex:
        told = tuple(
            Served(
                one.observed.fingerprint, one.observed.text, one.observed.calls, round(one.observed.mean_ms, 2), 0, 0
            )
            for one, _, _ in served
        )
        return AdvisedIndex(
            table=candidate.table,
            keys=tuple(str(key) for key in candidate.keys),
            where=candidate.where,
            method="btree",
            reason=f"at least halves the steps of {len(told)} statement{'s' if len(told) != 1 else ''} on a copy",
            confidence=COSTED,
            saves_ms=round(sum(one.observed.total_ms / 2 for one, _, _ in served), 1),
            serves=told,
            warnings=(),
            sql=create_sql(candidate, is_sqlite=True),
            meta=meta_line(candidate),
            migration=migration_line(candidate),
        )


def _on(candidate: Candidate) -> str:
    keys = ", ".join(str(key) for key in candidate.keys)
    return f'"{candidate.table}" ({keys})' + (f" WHERE {candidate.where}" if candidate.where else "")


def _read(copy: sqlite3.Connection) -> Schema:
    tables = {}
    names = copy.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
    for (name,) in names:
        count = f'SELECT count(*) FROM "{name}"'  # noqa: S608  # nosec B608 - a name of the catalogue
        table = tables[name] = Table(name, copy.execute(count).fetchone()[0], 0)
        columns = f'PRAGMA table_info("{name}")'
        for _, column, kind, *_ in copy.execute(columns).fetchall():
            told = f'count(DISTINCT "{column}"), avg("{column}" IS NULL)'
            values = f'SELECT {told} FROM "{name}"'  # noqa: S608  # nosec B608
            distinct, nulls = copy.execute(values).fetchone()
            table.columns[column] = Column(column, kind, nulls or 0.0, float(distinct or 1), (), (), ())
    return Schema(tables, frozenset(), is_c_collation=True, statistics_days=None, is_replica=False)
