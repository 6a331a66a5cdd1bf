"""Advice on SQLite: each candidate is built on a copy, and counts if the virtual machine then takes half the steps.

SQLite tells no costs. A database above 512 MB, or one that the disk has no room for twice, is not copied: see
`sqlite_plans.py`. All together takes 20 seconds at most.
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from django.db import DatabaseError

from monitoring.database.advice.answers import COSTED, RULE, AdvisedIndex, Served
from monitoring.database.advice.candidates import Candidate, candidates
from monitoring.database.advice.sqlite_copy import TICK, Meter, bare, has_room, has_statistics, opened, read, whole
from monitoring.database.advice.sqlite_plans import Plans
from monitoring.database.advice.syntax import uses
from monitoring.database.advice.values import fill_structure, shape_at
from monitoring.database.advice.wording import advised
from monitoring.database.advice.workload import Observed, Workload
from monitoring.database.shapes import Place, places

MOST_BYTES = 512 << 20
MOST_SECONDS = 20.0
LEAST_STEPS = 10_000
_MOST_STEPS = 50_000_000
_INSTEAD = {"integer": 1, "number": 1, "boolean": 1, "null": None}
_HALVED = "at least halves the steps of {} on a copy"
_SEARCHED = "{} would be searched for instead of scanned, by the plan alone"


@dataclass(slots=True)
class _Trial:
    """A statement on the copy: its values by name, and what running it takes as things are."""

    observed: Observed
    values: dict[str, Any]
    steps: int
    seconds: float
    candidates: list[Candidate] = field(default_factory=list)


_Better = tuple[_Trial, int, float]  # steps and seconds that it takes with an index


def advise(connection: Any, workload: Workload) -> tuple[list[AdvisedIndex], list[str]]:
    """Indexes that some SELECT would do better with, and notes.

    Raises django.db.DatabaseError where none can be tried.
    """
    path, meter = Path(connection.settings_dict["NAME"]), Meter(perf_counter() + MOST_SECONDS)
    found: list[AdvisedIndex] = []
    notes: list[str] = []
    try:
        with opened(path, meter) as source:
            if not has_statistics(source):
                notes.append("ANALYZE was never run: PRAGMA optimize gives the planner statistics")
            pages, size = (source.execute(text).fetchone()[0] for text in ("PRAGMA page_count", "PRAGMA page_size"))
            if pages * size <= MOST_BYTES and has_room(path, pages * size):
                with whole(source, path, meter) as copy:
                    found = _told(_Copy(copy, workload, meter).advise(), _HALVED, COSTED)
            else:
                notes.append(
                    f"{pages * size >> 20} MB are not copied (above 512 MB, or no room on the disk): "
                    "indexes are judged by plans alone"
                )
                with bare(source, meter) as copy:
                    plans = Plans(copy, workload, read(source, is_counted=False))
                    found = _told(plans.advise(), _SEARCHED, RULE)
    except (OSError, sqlite3.Error) as error:
        if not meter.is_over:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise DatabaseError(f"no copy of the database could be made ({name})") from error
    if meter.is_over:
        notes.append(f"not all was tried: {MOST_SECONDS:g} seconds were over")
    return found, notes


class _Copy:
    def __init__(self, copy: sqlite3.Connection, workload: Workload, meter: Meter) -> None:
        self._copy, self._workload, self._meter = copy, workload, meter
        self._schema = read(copy, is_counted=True)
        # What a candidate did for its statements, as long as none of them has changed: each costs an index to know.
        self._served_by: dict[Candidate, list[_Better]] = {}

    def advise(self) -> list[tuple[Candidate, list[Observed]]]:
        trials = [trial for one in self._workload.worth_it() if (trial := self._trial(one))]
        found: list[tuple[Candidate, list[Observed]]] = []
        while best := self._best(trials):
            candidate, served = best
            found.append((candidate, [trial.observed for trial, _, _ in served]))
            create = f'CREATE INDEX kf_kept_{len(found)} ON "{candidate.table}" {candidate.keyed}'
            try:
                self._copy.execute(create)
            except sqlite3.Error:  # the time is up; what was found stands
                break
            for trial, steps, seconds in served:
                trial.steps, trial.seconds = steps, seconds
            changed = {candidate for trial, _, _ in served for candidate in trial.candidates}
            self._served_by = {one: told for one, told in self._served_by.items() if one not in changed}
        return found

    def _trial(self, observed: Observed) -> _Trial | None:
        if observed.operation != "select":
            return None
        try:
            asked = uses(fill_structure(observed.text, observed.shapes))
            values = self._values(observed)
            steps, seconds = self._run(observed.text, values)
        except (ValueError, sqlite3.Error):
            return None
        found = [one for one in candidates(asked, observed.shapes, self._schema) if one.method == "btree"]
        return _Trial(observed, values, steps, seconds, found)

    def _best(self, trials: list[_Trial]) -> tuple[Candidate, list[_Better]] | None:
        asked: dict[Candidate, list[_Trial]] = {}
        for trial in trials:
            for candidate in trial.candidates:
                if trial.steps > LEAST_STEPS:
                    asked.setdefault(candidate, []).append(trial)
        best, most = None, 0.0
        for candidate in sorted(asked, key=lambda one: len(one.keys)):
            if candidate not in self._served_by:
                self._served_by[candidate] = self._served(candidate, asked[candidate])
            served = self._served_by[candidate]
            saved = sum((trial.steps - steps) * trial.observed.calls for trial, steps, _ in served)
            # A wider one must save clearly more than a narrower that came before it.
            if saved > most * 1.05:
                best, most = (candidate, served), saved
        return best

    def _served(self, candidate: Candidate, trials: list[_Trial]) -> list[_Better]:
        served: list[_Better] = []
        create = f'CREATE INDEX kf_trial ON "{candidate.table}" {candidate.keyed}'
        with suppress(sqlite3.Error):  # an expression that SQLite does not know, or the time is up
            self._copy.execute(create)
            served = [(trial, *told) for trial in trials if (told := self._faster(trial))]
        with suppress(sqlite3.Error):
            self._copy.execute("DROP INDEX IF EXISTS kf_trial")
        return served

    def _faster(self, trial: _Trial) -> tuple[int, float] | None:
        """Steps and seconds with the index that is there for a trial, None where they are not worth it."""
        explain = f"EXPLAIN QUERY PLAN {trial.observed.text}"
        plan = self._copy.execute(explain, trial.values).fetchall()
        if not any("kf_trial" in row[3] for row in plan):
            return None
        try:
            steps, seconds = self._run(trial.observed.text, trial.values)
        except sqlite3.Error:
            return None  # more steps than without it, or the time is up
        # Steps alone can mislead: an order that comes from the index reads the table row by row.
        is_faster = steps <= 0.5 * trial.steps and seconds <= trial.seconds
        return (steps, seconds) if is_faster and trial.steps - steps >= LEAST_STEPS else None

    def _run(self, text: str, values: dict[str, Any]) -> tuple[int, float]:
        """Steps and seconds, the better of two. Raises sqlite3.Error where it takes too many."""
        best = float("inf")
        self._meter.most = _MOST_STEPS // TICK
        try:
            for _ in range(2):
                self._meter.ticks = 0
                started = perf_counter()
                self._copy.execute(text, values).fetchall()
                best = min(best, perf_counter() - started)
        finally:
            self._meter.most = float("inf")
        return self._meter.ticks * TICK, best

    def _values(self, observed: Observed) -> dict[str, Any]:
        found = enumerate(places(observed.text))
        return {str(n + 1): self._value(place, shape_at(observed.shapes, n)) for n, place in found}

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


def _told(chosen: list[tuple[Candidate, list[Observed]]], reason: str, confidence: str) -> list[AdvisedIndex]:
    """In words; one that is the beginning of a later one goes up in it."""
    folded: dict[Candidate, list[Observed]] = {}
    for candidate, served in chosen:
        wide = next((one for one, _ in reversed(chosen) if candidate.is_prefix_of(one)), candidate)
        folded.setdefault(wide, []).extend(served)
    return [_advised(candidate, served, reason, confidence) for candidate, served in folded.items()]


def _advised(candidate: Candidate, served: list[Observed], reason: str, confidence: str) -> AdvisedIndex:
    total = sum(one.total_ms for one in served)
    return advised(
        candidate,
        reason=reason.format(f"{len(served)} statement{'s' if len(served) != 1 else ''}"),
        confidence=confidence,
        saves_ms=total / 2,
        serves=tuple(Served(one.fingerprint, one.text, one.calls, round(one.mean_ms, 2), 0, 0) for one in served),
        is_sqlite=True,
    )
