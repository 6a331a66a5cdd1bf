"""Tries indexes that do not exist: b-trees by hypopg, at the planner's price; GIN on an empty temporary table."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import DatabaseError, transaction

from monitoring.database.advice.answers import COSTED
from monitoring.database.advice.candidates import Candidate
from monitoring.database.advice.choice import Question
from monitoring.database.advice.values import Filled, fill_structure
from monitoring.database.explain import cost, generic_plan, indexes, parameter_types, plan

_CREATE = "SELECT indexrelid, indexname FROM hypopg_create_index(%s)"
_DROP = "SELECT hypopg_drop_index(%s)"
_SIZE = "SELECT hypopg_relation_size(%s)"
_RESET = "SELECT hypopg_reset()"
_NO_SCAN = "SELECT set_config('enable_seqscan', 'off', true)"


class Trials:
    """Hypothetical indexes of one session; those that were kept stay in sight of every later plan."""

    def __init__(self, cursor: Any, alias: str) -> None:
        self._cursor, self._alias = cursor, alias
        self.plans = 0

    def plan(self, sql: Filled) -> dict[str, Any]:
        """The plan as things are. Raises django.db.DatabaseError, and the transaction goes on."""
        self.plans += 1
        with transaction.atomic(using=self._alias):
            return plan(self._cursor, sql.text, sql.values)

    def types(self, text: str) -> list[str]:
        """Types of the `$n` of `text`. Raises django.db.DatabaseError, and the transaction goes on."""
        with transaction.atomic(using=self._alias):
            return parameter_types(self._cursor, text)

    def price(self, sql: Filled, candidate: Candidate) -> float | None:
        """What `sql` would cost with `candidate`, None where the planner would not use it."""
        with self._installed(candidate) as name:
            if not name:
                return None
            found = self.plan(sql)
        return cost(found) if name in indexes(found) else None

    def generic_price(self, text: str, candidate: Candidate) -> float | None:
        """As `price`, for any values of the `$n` of `text`; None also where it cannot be planned without them."""
        self.plans += 1
        with self._installed(candidate) as name:
            try:
                with transaction.atomic(using=self._alias):
                    found = generic_plan(self._cursor, text) if name else None
            except DatabaseError:
                return None
        return cost(found) if found and name in indexes(found) else None

    def price_together(self, sql: Filled, found: tuple[Candidate, ...]) -> float | None:
        """As `price`, with all of `found` at once; None where one of them would not be used."""
        with ExitStack() as stack:
            names = {stack.enter_context(self._installed(candidate)) for candidate in found}
            planned = self.plan(sql)
        return cost(planned) if names <= indexes(planned) else None

    def keep(self, candidate: Candidate) -> int:
        """Leave `candidate` in place for the plans that follow; its estimated size in bytes."""
        self._cursor.execute(_CREATE, [candidate.sql])
        oid = self._cursor.fetchone()[0]
        self._cursor.execute(_SIZE, [oid])
        return int(self._cursor.fetchone()[0])

    def reset(self) -> None:
        """Forget all."""
        self._cursor.execute(_RESET)

    @contextmanager
    def _installed(self, candidate: Candidate) -> Iterator[str]:
        try:
            with transaction.atomic(using=self._alias):
                self._cursor.execute(_CREATE, [candidate.sql])
                oid, name = self._cursor.fetchone()
        except DatabaseError:
            yield ""  # an expression that is not immutable, a type without an order
            return
        try:
            yield name
        finally:
            self._cursor.execute(_DROP, [oid])

    def serves(self, sql: Filled, candidate: Candidate) -> bool:
        """Whether a GIN index would be used at all: tried on an empty temporary copy that hides the table."""
        copy = f'CREATE TEMP TABLE "{candidate.table}" (LIKE "{candidate.table}") ON COMMIT DROP'
        index = f'CREATE INDEX kf_trial ON pg_temp."{candidate.table}" {candidate.body}'
        try:
            with transaction.atomic(using=self._alias):
                for text in (copy, index, _NO_SCAN):
                    self._cursor.execute(text)
                found = self.plan(sql)
                transaction.set_rollback(True, using=self._alias)
        except DatabaseError:
            return False
        return "kf_trial" in indexes(found)


class ByPlanner:
    """Judges candidates by hypothetical indexes. `sizes` are of those that were kept, in bytes."""

    confidence = COSTED

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self.sizes: dict[Candidate, int] = {}

    def price(self, question: Question, candidate: Candidate) -> float | None:
        return self._trials.price(question.sql, candidate)

    def generic(self, question: Question, candidate: Candidate) -> float | None:
        observed = question.observed
        return self._trials.generic_price(fill_structure(observed.text, observed.shapes), candidate)

    def together(self, question: Question, found: tuple[Candidate, ...]) -> float | None:
        return self._trials.price_together(question.sql, found)

    def keep(self, candidate: Candidate) -> None:
        self.sizes[candidate] = self._trials.keep(candidate)

    def end(self) -> None:
        """Forget what was kept."""
        self._trials.reset()
