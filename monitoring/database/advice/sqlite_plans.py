"""Advice on an SQLite database that is too large to copy. Nothing is run.

Each candidate is made in an empty copy of its schema, told how many rows its keys would keep, and counts where SQLite
then plans to search instead of scanning.
"""

import sqlite3

from monitoring.database.advice.candidates import Candidate, candidates
from monitoring.database.advice.schema import Schema
from monitoring.database.advice.syntax import Use, uses
from monitoring.database.advice.values import fill_structure
from monitoring.database.advice.workload import Observed, Workload

# Of the rows, what a search may keep and still be worth an index.
_MOST_SHARE = 0.05
_FEWEST_ROWS = 1000.0
_SORT = "USE TEMP B-TREE FOR ORDER BY"
_STATISTIC = "INSERT INTO sqlite_stat1 VALUES (?, ?, ?)"


class Plans:
    """The statements worth an index, each with its candidates, on a copy without rows."""

    def __init__(self, copy: sqlite3.Connection, workload: Workload, schema: Schema) -> None:
        self._copy, self._schema = copy, schema
        for table in schema.tables.values():
            self._copy.execute(_STATISTIC, [table.name, None, f"{table.rows:.0f}"])
        self._asked = [(one, found) for one in workload.worth_it() if (found := self._candidates(one))]

    def advise(self) -> list[tuple[Candidate, list[Observed]]]:
        """Greedy: the one that serves the most time, then the best beside it."""
        chosen: list[tuple[Candidate, list[Observed]]] = []
        while best := self._best():
            chosen.append(best)
            self._make(best[0], f"kf_kept_{len(chosen)}")
        return chosen

    def _candidates(self, observed: Observed) -> list[Candidate]:
        if observed.operation != "select":
            return []
        try:
            asked = uses(fill_structure(observed.text, observed.shapes))
        except ValueError:
            return []
        found = candidates(asked, observed.shapes, self._schema)
        return [one for one in found if one.method == "btree" and self._is_worth(one, asked)]

    def _is_worth(self, candidate: Candidate, asked: list[Use]) -> bool:
        table = self._schema.tables[candidate.table]
        equal = {key.sql for use in asked if use.table == table.name for key in use.equal + use.joins}
        share = 1.0
        for key in candidate.keys:
            share /= table.values(key.column) if key.sql in equal else 1.0
        is_ordered = any(use.order and set(use.order) <= set(candidate.keys) for use in asked)
        return table.rows >= _FEWEST_ROWS and (share <= _MOST_SHARE or is_ordered)

    def _best(self) -> tuple[Candidate, list[Observed]] | None:
        serving: dict[Candidate, list[Observed]] = {}
        for observed, found in self._asked:
            before = self._plan(observed)
            for candidate in found if _is_slow(before, observed) else ():
                self._make(candidate, "kf_trial")
                after = self._plan(observed)
                self._copy.execute("DROP INDEX IF EXISTS kf_trial")
                if any("kf_trial" in step for step in after) and _is_better(before, after, observed):
                    serving.setdefault(candidate, []).append(observed)
        if not serving:
            return None
        best = max(serving, key=lambda one: (sum(seen.total_ms for seen in serving[one]), -len(one.keys)))
        return best, serving[best]

    def _make(self, candidate: Candidate, name: str) -> None:
        table = self._schema.tables[candidate.table]
        kept, numbers = table.rows, [f"{table.rows:.0f}"]
        for key in candidate.keys:
            kept = max(1.0, kept / table.values(key.column))
            numbers.append(f"{kept:.0f}")
        create = f'CREATE INDEX {name} ON "{candidate.table}" {candidate.keyed}'
        try:
            self._copy.execute(create)
        except sqlite3.OperationalError:
            return  # an expression that SQLite does not know
        self._copy.execute(_STATISTIC, [table.name, name, " ".join(numbers)])
        self._copy.execute("ANALYZE sqlite_master")  # the planner reads what is told anew

    def _plan(self, observed: Observed) -> list[str]:
        explain = f"EXPLAIN QUERY PLAN {observed.text}"
        values = {str(n): None for n in range(1, observed.text.count("$") + 1)}
        try:
            return [row[3] for row in self._copy.execute(explain, values).fetchall()]
        except sqlite3.Error:
            return []


def _scans(plan: list[str]) -> int:
    return sum(step.startswith("SCAN") and "INDEX" not in step for step in plan)


def _is_slow(plan: list[str], observed: Observed) -> bool:
    return _scans(plan) > 0 or _sorts(plan, observed)


def _is_better(before: list[str], after: list[str], observed: Observed) -> bool:
    return _scans(after) < _scans(before) or (_sorts(before, observed) and not _sorts(after, observed))


def _sorts(plan: list[str], observed: Observed) -> bool:
    """Whether it sorts all that it finds, to show a few."""
    return _SORT in plan and "LIMIT" in observed.text
