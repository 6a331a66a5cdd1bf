"""Chooses the fewest indexes that save the most time over the whole workload. Pure but for the trials it asks for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from monitoring.database.advice.candidates import Candidate
from monitoring.database.advice.values import Filled
from monitoring.database.advice.workload import Observed

# A candidate must halve a statement; where only a guess at a range's bound says so, bring it to a fifth.
_HALF, _FIFTH = 0.5, 0.2
_LEAST_SHARE = 0.003
# Two that save about as much: the simpler one is taken.
_ABOUT = 0.97
# Of one statement's candidates only those near its best are for choice.
_NEAR, _NEAR_UNITS = 1.5, 15.0
# Nor one that costs so many times the best with values that nobody knows: it lives from the values we took.
_SKEWED = 3.0
# What keeping one b-tree costs a row that is written, in milliseconds.
WRITE_MS = 0.005
_SMALL = 25.0


@dataclass(slots=True)
class Question:
    """A statement with its values put back, its candidates, and what it costs as things are."""

    observed: Observed
    sql: Filled
    candidates: list[Candidate]
    cost: float
    has_guessed_range: bool = False
    first_cost: float = 0.0
    prices: dict[Candidate, float] = field(default_factory=dict)
    selective: frozenset[str] = frozenset()  # keys that are compared for equality, as SQL
    ranged: frozenset[str] = frozenset()  # and those compared for order
    either: tuple[Candidate, ...] = ()  # sides of an OR, which help together or not at all
    narrow: frozenset[Candidate] = frozenset()  # those that help with the values we took, and with no others

    @property
    def ms_per_cost(self) -> float:
        """Milliseconds of all calls together for one unit of the planner's."""
        return self.observed.total_ms / max(self.first_cost, 0.01)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A candidate, what it saves (milliseconds of the observed time), and each statement's cost before and after."""

    candidate: Candidate
    saved_ms: float
    served: tuple[tuple[Observed, float, float], ...]
    is_narrow: bool = False


class Judge(Protocol):
    """Who says what a statement would cost with indexes that do not exist; None where they would not be used."""

    def price(self, question: Question, candidate: Candidate) -> float | None:
        """With one more."""

    def generic(self, question: Question, candidate: Candidate) -> float | None:
        """The same for values that nobody knows."""

    def together(self, question: Question, found: tuple[Candidate, ...]) -> float | None:
        """With all of them at once."""

    def keep(self, candidate: Candidate) -> None:
        """Count `candidate` as there from now on."""


def choose(
    questions: list[Question], judge: Judge, *, rows_written: Callable[[str], float], total_ms: float
) -> list[Chosen]:
    """Greedy: the best index, then the best beside it, until another saves less than 0.3 % of all time."""
    for question in questions:
        question.first_cost = question.cost
        _ask(question, judge)
    chosen: list[Chosen] = []
    while best := _best(questions, rows_written, total_ms):
        judge.keep(best.candidate)
        chosen.append(best)
        for question in questions:
            after = question.prices.get(best.candidate)
            if after is not None:
                question.cost = min(question.cost, after)
                question.candidates.remove(best.candidate)
                _ask(question, judge)
    for question in questions:
        is_asked = len(question.either) > 1 and question.cost >= _SMALL
        after = judge.together(question, question.either) if is_asked else None
        if after is not None and after <= _HALF * question.cost:
            saved = (question.cost - after) * question.ms_per_cost
            if saved >= _LEAST_SHARE * total_ms:
                served = ((question.observed, question.cost, after),)
                chosen += [Chosen(one, saved / len(question.either), served) for one in question.either]
    return _folded(chosen)


def _ask(question: Question, judge: Judge) -> None:
    """What each candidate would make of the statement, where it makes enough of it."""
    question.prices = {}
    if question.cost < _SMALL:
        return
    found: dict[Candidate, float] = {}
    for candidate in question.candidates:
        after = judge.price(question, candidate)
        bar = _FIFTH if question.has_guessed_range and len(candidate.keys) == 1 and not candidate.where else _HALF
        if after is not None and after <= bar * question.cost and question.cost - after > 10:
            found[candidate] = after
    if found:
        best = min(found.values())
        near = {one: after for one, after in found.items() if after <= max(_NEAR * best, best + _NEAR_UNITS)}
        question.prices = _of_any_value(question, near, judge)


def _of_any_value(question: Question, prices: dict[Candidate, float], judge: Judge) -> dict[Candidate, float]:
    """Without those far from the best for unknown values; where none helps with such, all, and they are marked.

    A partial index names its value, and is never used for an unknown one.
    """
    asked = {one: judge.generic(question, one) for one in prices if not one.where}
    known = [after for after in asked.values() if after is not None]
    if not known:
        question.narrow |= frozenset(asked)
        return prices
    most = _SKEWED * min(known) + _NEAR_UNITS
    return {one: p for one, p in prices.items() if one.where or ((after := asked[one]) is not None and after <= most)}


def _best(questions: list[Question], rows_written: Callable[[str], float], total_ms: float) -> Chosen | None:
    saved: dict[Candidate, float] = {}
    for question in questions:
        for candidate, after in question.prices.items():
            saved[candidate] = saved.get(candidate, 0.0) + (question.cost - after) * question.ms_per_cost
    for candidate in saved:
        saved[candidate] -= WRITE_MS * rows_written(candidate.table)
    most = max(saved.values(), default=0.0)
    if most <= 0 or most < _LEAST_SHARE * total_ms:
        return None
    near = [candidate for candidate, ms in saved.items() if ms >= _ABOUT * most]
    taken = min(
        near, key=lambda one: (len(one.keys), bool(one.where), any(not k.column for k in one.keys), -saved[one])
    )
    serving = [question for question in questions if taken in question.prices]
    served = tuple((question.observed, question.cost, question.prices[taken]) for question in serving)
    return Chosen(taken, saved[taken], served, is_narrow=all(taken in question.narrow for question in serving))


def _folded(chosen: list[Chosen]) -> list[Chosen]:
    """Without those that a later, wider one makes superfluous."""
    return [
        one
        for one in chosen
        if not any(other is not one and one.candidate.is_prefix_of(other.candidate) for other in chosen)
    ]
