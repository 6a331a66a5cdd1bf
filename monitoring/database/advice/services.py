"""Advice about one database, as data: indexes to make, indexes to look at, and what stood in the way. Runs nothing."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, connections

from monitoring.database.advice import foreign_keys, sqlite
from monitoring.database.advice.answers import RULE, UNCOSTED, Advice, AdvisedIndex, Served, TopStatement
from monitoring.database.advice.candidates import Candidate, candidates
from monitoring.database.advice.choice import Chosen, Question, choose
from monitoring.database.advice.rules import ByRules
from monitoring.database.advice.schema import Schema, read_schema
from monitoring.database.advice.syntax import uses
from monitoring.database.advice.trial import ByPlanner, Trials
from monitoring.database.advice.upkeep import upkeep
from monitoring.database.advice.values import Filled, fill_structure, fillings
from monitoring.database.advice.wording import advised
from monitoring.database.advice.workload import Observed, Workload, observe
from monitoring.database.explain import cost, expected_rows, planning
from monitoring.database.models import RecordedStatement

_FAR = 3.0


@dataclass(slots=True)
class _Work:
    """What one run gathers on its way."""

    schema: Schema
    workload: Workload
    not_read: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def advice(alias: str = "default") -> Advice:
    """Advice about the database `alias`. Raises django.db.DatabaseError where it does not answer."""
    connection = connections[alias]
    workload = observe(connection)
    if connection.vendor != "postgresql":
        found, notes = sqlite.advise(connection, workload)
        return _made(connection, workload, indexes=tuple(found), notes=tuple(notes))
    with planning(connection) as cursor:
        work = _Work(read_schema(cursor), workload)
        work.notes += _notes(work)
        trials = Trials(cursor, alias)
        judge = ByPlanner(trials) if "hypopg" in work.schema.extensions else ByRules(work.schema)
        questions, uncosted = _questions(work, trials)
        total = sum(one.total_ms for one in workload.statements) or 1.0
        chosen = choose(questions, judge, rows_written=partial(_rows_written, workload), total_ms=total)
        judge.end()
        found = [
            _advised(one, work, confidence=judge.confidence, size=judge.sizes.get(one.candidate)) for one in chosen
        ]
        found += _gin(uncosted, chosen, trials, work)
        found += _foreign(work, chosen)
        kept = upkeep(cursor, work.schema)
    return _made(
        connection, workload, indexes=tuple(found), upkeep=tuple(kept), not_read=tuple(work.not_read),
        notes=tuple(work.notes), plans=trials.plans,
    )  # fmt: skip


def _made(connection: Any, workload: Workload, **parts: Any) -> Advice:
    rows = RecordedStatement.objects.filter(alias=connection.alias).order_by("-total_ms")[:20]
    top = tuple(
        TopStatement(
            row.fingerprint, row.text, row.calls, round(row.total_ms, 1), round(row.max_ms, 1), row.slow_calls,
            row.repeats, row.route, row.call_site, row.plan or [],
        )
        for row in rows
    )  # fmt: skip
    return Advice(connection.alias, connection.vendor, datetime.now(UTC), workload.source, statements=top, **parts)


def _notes(work: _Work) -> list[str]:
    notes = []
    if work.workload.source != "pg_stat_statements":
        notes.append("pg_stat_statements is not there: only what KoshFlow itself ran is seen")
    if work.workload.evicted:
        notes.append(
            f"pg_stat_statements dropped statements {work.workload.evicted} times: raise pg_stat_statements.max"
        )
    if work.workload.since:
        notes.append(f"statements since {work.workload.since:%Y-%m-%d %H:%M} UTC")
    if "hypopg" not in work.schema.extensions:
        notes.append("hypopg is not there: indexes are judged by rules, not by the planner")
    if "pgstattuple" not in work.schema.extensions:
        notes.append("pgstattuple is not there: bloat is not looked for")
    days = work.schema.statistics_days
    if days is None:
        notes.append("nobody knows since when use is counted: unused indexes are not looked for (docs/database.md)")
    elif days < 30:
        notes.append("statistics of use are younger than 30 days: unused indexes are not looked for")
    return notes


def _questions(work: _Work, trials: Trials) -> tuple[list[Question], list[tuple[Observed, Filled, list[Candidate]]]]:
    questions, uncosted = [], []
    for observed in work.workload.worth_it():
        try:
            asked = uses(fill_structure(observed.text, observed.shapes))
            sql, before = _planned(observed, work, trials)
        except (ValueError, DatabaseError):
            work.not_read.append(observed.fingerprint)
            continue
        found = candidates(asked, observed.shapes, work.schema)
        trees = [one for one in found if one.method == "btree"]
        guessed = any(use.ranges for use in asked)
        either = tuple(
            Candidate(use.table, (key,)) for use in asked if len(use.alternatives) > 1 for key in use.alternatives
        )
        question = Question(observed, sql, trees, before, has_guessed_range=guessed, either=either)
        question.selective = frozenset(key.sql for use in asked for key in use.equal + use.joins)
        question.ranged = frozenset(key.sql for use in asked for key in use.ranges + use.prefixes)
        questions.append(question)
        inverted = [one for one in found if one.method != "btree"]
        if inverted:
            uncosted.append((observed, sql, inverted))
    return questions, uncosted


def _planned(observed: Observed, work: _Work, trials: Trials) -> tuple[Filled, float]:
    """The statement with values, and its cost. Raises DatabaseError, ValueError where it cannot be planned."""
    gave = work.workload.rows_a_call(observed)
    try:
        return _nearest(fillings(observed.text, observed.shapes, work.schema), trials, gave)
    except DatabaseError:
        # Of an expression no statistics tell the type; PostgreSQL does.
        types = trials.types(observed.text)
        seen = [*observed.shapes, *({} for _ in types)]
        shapes = [shape or {"kind": type_} for shape, type_ in zip(seen, types, strict=False)]
        return _nearest(fillings(observed.text, shapes, work.schema), trials, gave)


def _nearest(filled: list[Filled], trials: Trials, gave: float | None) -> tuple[Filled, float]:
    """With the likely values, unless with others the planner expects far more nearly as many rows as it gave."""
    if not filled:
        raise ValueError("a value cannot be guessed")
    first = trials.plan(filled[0])
    best = filled[0], cost(first)
    if gave is None:
        return best
    least = _apart(expected_rows(first), gave)
    for other in filled[1:] if least > _FAR else ():
        planned = trials.plan(other)
        apart = _apart(expected_rows(planned), gave)
        if apart * _FAR < least:
            least, best = apart, (other, cost(planned))
    return best


def _apart(expected: float, gave: float) -> float:
    """How many times one is the other, 1 or more; of no row and one row it does not matter which."""
    fewer, more = sorted((max(1.0, expected), max(1.0, gave)))
    return more / fewer


def _gin(
    asked: list[tuple[Observed, Filled, list[Candidate]]], chosen: list[Chosen], trials: Trials, work: _Work
) -> list[AdvisedIndex]:
    """GIN indexes for statements that no b-tree serves."""
    served = {observed.fingerprint for one in chosen for observed, _, _ in one.served}
    serving: dict[Candidate, list[Observed]] = {}
    for observed, sql, found in asked:
        for candidate in found if observed.fingerprint not in served else ():
            exists = any(
                index.method == "gin" and index.keys[:1] == (candidate.keys[0].column,)
                for index in work.schema.tables[candidate.table].indexes
            )
            if not exists and work.schema.tables[candidate.table].rows >= 1000 and trials.serves(sql, candidate):
                serving.setdefault(candidate, []).append(observed)
    return [
        _advised(
            Chosen(candidate, sum(one.total_ms for one in observed), tuple((one, 0.0, 0.0) for one in observed)),
            work,
            confidence=UNCOSTED,
        )
        for candidate, observed in serving.items()
    ]


def _foreign(work: _Work, chosen: list[Chosen]) -> list[AdvisedIndex]:
    found = []
    for candidate, foreign, took in foreign_keys.missing(work.workload, work.schema):
        columns = foreign.columns
        if any(
            one.candidate.table == candidate.table
            and not one.candidate.where
            and tuple(key.column for key in one.candidate.keys[: len(columns)]) == columns
            for one in chosen
        ):
            continue
        reason = f"each row deleted from {foreign.referred} searches all of {candidate.table} for its children"
        found.append(_advised(Chosen(candidate, took, ()), work, confidence=RULE, reason=reason))
    return found


def _advised(one: Chosen, work: _Work, *, confidence: str, size: int | None = None, reason: str = "") -> AdvisedIndex:
    serves = tuple(
        Served(seen.fingerprint, seen.text, seen.calls, round(seen.mean_ms, 2), round(before, 1), round(after, 1))
        for seen, before, after in one.served
    )
    return advised(
        one.candidate,
        reason=reason or f"serves {len(serves)} statement{'s' if len(serves) != 1 else ''}",
        confidence=confidence,
        saves_ms=one.saved_ms,
        serves=serves,
        warnings=tuple(_warnings(one, work)),
        size_bytes=size,
    )


def _warnings(one: Chosen, work: _Work) -> list[str]:
    candidate = one.candidate
    found = ["helps only for some values: for one that nobody knows the planner would not use it"] * one.is_narrow
    written = _rows_written(work.workload, candidate.table)
    if written:
        found.append(f"{written:.0f} rows of {candidate.table} were written in this time; each keeps the index too")
    columns = {key.column for key in candidate.keys if key.column}
    changed = sorted(column for column in columns if _is_updated(work.workload, candidate.table, column))
    if changed:
        found.append(f"updates set {', '.join(changed)}: with it they are no longer heap-only (HOT)")
    rows = work.schema.tables[candidate.table].rows
    if rows > 10_000_000:
        found.append("a build of many minutes: make it when little is written")
    return found


def _rows_written(workload: Workload, table: str) -> float:
    return sum(
        max(one.rows, one.calls if workload.source != "pg_stat_statements" else 0)
        for one in workload.statements
        if one.operation in ("insert", "update", "delete") and _target(one.text) == table
    )


def _target(text: str) -> str:
    words = text.replace('"', "").split()
    place = {"INSERT": 2, "DELETE": 2, "UPDATE": 1}.get(words[0].upper(), 0) if words else 0
    return words[place].split("(")[0] if 0 < place < len(words) else ""


def _is_updated(workload: Workload, table: str, column: str) -> bool:
    return any(
        one.operation == "update"
        and _target(one.text) == table
        and f'"{column}" =' in one.text.partition(" SET ")[2].partition(" WHERE ")[0]
        for one in workload.statements
    )
