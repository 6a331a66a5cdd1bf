"""Asks what every rule that is due comes to, within the time of one run. What is not answered is waited for, and told.

A rule is due until it was answered. Whoever waits longest since its last turn comes first: one that takes all the time
each time holds the others up every second run at most.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError

from monitoring.alerts.grouping import Seen
from monitoring.alerts.machine import Status
from monitoring.alerts.measuring import Measured, measure
from monitoring.alerts.models import AlertState
from monitoring.alerts.rules import Events, Gauge, Rule
from monitoring.alerts.sources import DatabaseSource, NotMeasured

logger = logging.getLogger("monitoring.alerts")

# How long the rule that waits longest for an answer has waited. It is asked of nobody, and after all others.
UNANSWERED = Gauge(name="rule_unanswered_seconds")
# A slot of the schedule comes a moment early or late.
_EARLY_SECONDS = 10


@dataclass(slots=True)
class Answers:
    """Of one run, by the names of rules. `failed` had their turn and gave no answer; for `unasked` no time was left."""

    measured: dict[str, Measured] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    about: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    unasked: set[str] = field(default_factory=set)


def due(rules: Iterable[Rule], kept: Mapping[str, AlertState], now: datetime) -> list[Rule]:
    """Those that are to be asked at `now`, in the order of their turns."""
    waiting = [rule for rule in rules if _is_due(rule, kept.get(rule.name), now)]
    return sorted(waiting, key=lambda rule: kept[rule.name].evaluated_at.timestamp() if rule.name in kept else 0.0)


def ask(rules: Iterable[Rule], kept: Mapping[str, AlertState], source: DatabaseSource) -> Answers:
    """What `rules` come to, each by itself: the fault of one is not another's."""
    answers = Answers()
    about_the_others = [rule for rule in rules if rule.expression == UNANSWERED]
    for rule in rules:
        if rule in about_the_others:
            continue
        if source.is_out_of_time():
            answers.unasked.add(rule.name)
            continue
        try:
            answers.measured[rule.name] = measure(rule.expression, source)
            if isinstance(rule.expression, Gauge) and (answers.measured[rule.name].value or 0) > rule.threshold:
                answers.about[rule.name] = source.about(rule.expression.name)
            seen = _seen(rule, kept.get(rule.name), answers.measured[rule.name].value, source)
            if seen is not None:
                answers.seen[rule.name] = seen
        except Exception as error:
            answers.failed.add(rule.name)
            is_known = isinstance(error, DatabaseError | NotMeasured)
            level = logging.WARNING if is_known else logging.ERROR
            logger.log(level, "alert_rule_not_evaluated", extra={"rule": rule.name}, exc_info=True)
    if answers.unasked:
        logger.warning("alert_rules_not_reached", extra={"rules": ",".join(sorted(answers.unasked))})
    longest = _longest_wait(answers.failed | answers.unasked, kept, source.now)
    answers.measured |= {rule.name: Measured(longest, longest) for rule in about_the_others}
    return answers


def note_turn(rule: Rule, state: AlertState, answers: Answers, now: datetime) -> None:
    """Write down that `rule` was due, and what came of it."""
    if rule.name in answers.failed | answers.unasked:
        state.missed_since = state.missed_since or now
    else:
        state.missed_since = None
    if rule.name not in answers.unasked:
        state.evaluated_at = now


def _is_due(rule: Rule, state: AlertState | None, now: datetime) -> bool:
    if state is None or state.missed_since is not None:
        return True
    return now - state.evaluated_at >= timedelta(seconds=rule.every_seconds - _EARLY_SECONDS)


def _longest_wait(missed: Iterable[str], kept: Mapping[str, AlertState], now: datetime) -> float:
    since = (kept[name].missed_since for name in missed if name in kept)
    return max(((now - moment).total_seconds() for moment in since if moment is not None), default=0.0)


def _seen(rule: Rule, state: AlertState | None, value: float | None, source: DatabaseSource) -> Seen | None:
    """Of a rule that fires, or is about to, and misses no event: how many there were since it began."""
    expression = rule.expression
    is_firing = state is not None and state.status == Status.FIRING
    if not isinstance(expression, Events) or not expression.is_each or not (is_firing or (value or 0) > rule.threshold):
        return None
    since = state.counted_from if state is not None and is_firing else None
    return source.seen(expression.types, since or source.window_start(expression.seconds, is_each=True))
