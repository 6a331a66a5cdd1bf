"""Evaluates the rules, tells what changed, and answers what stands. What a rule means is decided in pure modules.

A change of state, what was told of it, and the messages are one transaction: whoever is killed leaves all or nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connections, router, transaction
from django.utils import timezone

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.gauges import database_counts
from monitoring.alerts.grouping import Alert, Seen, inhibited, to_tell
from monitoring.alerts.machine import Standing, Status, advance
from monitoring.alerts.measuring import Measured, measure
from monitoring.alerts.messages import document, fingerprint
from monitoring.alerts.models import AlertEvaluator, AlertState
from monitoring.alerts.rules import Events, Gauge, Outage, Rule, Severity
from monitoring.alerts.silences import is_silenced, standing_silences
from monitoring.alerts.sources import DatabaseSource, OutOfTime
from monitoring.channels import queue_everywhere
from monitoring.rollups import keep_gauges

logger = logging.getLogger("monitoring.alerts")

# Less than the fifteen seconds of the schedule: a slot that came twice is one.
_LEAST_APART = timedelta(seconds=5)
_LAST = Gauge(name="rules_not_evaluated")


def evaluate_alerts(*, now: datetime | None = None, rules: Sequence[Rule] = RULES) -> int:
    """Measure every rule that is due, move its alert on, and queue what is to be told; how many messages that made.

    Any number of processes may call it: one at a time comes through, and twice in five seconds is once. Raises
    DatabaseError where the states themselves cannot be written.
    """
    if not settings.ALERTS:
        return 0
    now = now or timezone.now()
    last = evaluated_at()
    if last is not None and now - last < _LEAST_APART:
        return 0
    watched = [rule for rule in rules if not isinstance(rule.expression, Outage)]
    kept = AlertState.objects.in_bulk([_fingerprint(rule) for rule in watched])
    # What counts what could not be asked comes after all that could not.
    due = sorted((rule for rule in watched if _is_due(rule, kept, now)), key=lambda rule: rule.expression == _LAST)
    measured, seen = _measured(due, kept, DatabaseSource(now, last=last))
    with transaction.atomic(using=router.db_for_write(AlertState), durable=True):
        if not _is_ours(now):
            return 0
        kept = AlertState.objects.in_bulk([_fingerprint(rule) for rule in watched])
        states = {rule.name: kept.get(_fingerprint(rule)) or _fresh(rule, now) for rule in watched}
        for rule in due:
            _move(states[rule.name], advance(rule, _standing(states[rule.name]), measured[rule.name], now), now)
            _count_from(states[rule.name], seen.get(rule.name))
        queued = _tell(watched, states, seen, now)
        _store(states.values())
        AlertEvaluator.objects.filter(pk=1).update(evaluated_at=now)
    return queued


def _measured(
    rules: Iterable[Rule], kept: dict[str, AlertState], source: DatabaseSource
) -> tuple[dict[str, Measured], dict[str, Seen | None]]:
    found: dict[str, Measured] = {}
    seen: dict[str, Seen | None] = {}
    try:
        _keep_counts(source.now)
    except DatabaseError:
        source.not_evaluated += 1
        logger.warning("alert_counts_not_kept", exc_info=True)
    for rule in rules:
        try:
            source.check_time()
            found[rule.name] = measure(rule.expression, source)
            seen[rule.name] = _seen(rule, kept.get(_fingerprint(rule)), found[rule.name].value, source)
        except (DatabaseError, OutOfTime):
            # The other rules are asked all the same, and a rule of its own tells of this.
            source.not_evaluated += 1
            found.setdefault(rule.name, Measured(None, None))
            logger.warning("alert_rule_not_evaluated", extra={"rule": rule.name}, exc_info=True)
    return found, seen


def _seen(rule: Rule, state: AlertState | None, value: float | None, source: DatabaseSource) -> Seen | None:
    """Of a rule that fires, or is about to, and misses no event: how many there were since it began."""
    expression = rule.expression
    is_firing = state is not None and state.status == Status.FIRING
    if not isinstance(expression, Events) or not expression.is_each or not (is_firing or (value or 0) > rule.threshold):
        return None
    since = state.counted_from if state is not None and is_firing else None
    return source.seen(expression.types, since or source.window_start(expression.seconds, is_each=True))


def _count_from(state: AlertState, seen: Seen | None) -> None:
    if state.status != Status.FIRING:
        state.counted_from = state.told_subjects = None
    elif seen is not None:
        state.counted_from = seen.since


def _keep_counts(now: datetime) -> None:
    counts = database_counts()
    if counts:
        keep_gauges(counts, at=now)


def _is_ours(now: datetime) -> bool:
    """Take the evaluator's row for the length of the transaction; False where another holds it or was just here."""
    using = router.db_for_write(AlertEvaluator)
    AlertEvaluator.objects.bulk_create([AlertEvaluator(pk=1)], ignore_conflicts=True)
    can_skip = connections[using].features.has_select_for_update_skip_locked
    row = AlertEvaluator.objects.select_for_update(skip_locked=can_skip).filter(pk=1).first()
    return row is not None and (row.evaluated_at is None or now - row.evaluated_at >= _LEAST_APART)


def _tell(rules: Sequence[Rule], states: dict[str, AlertState], seen: dict[str, Seen | None], now: datetime) -> int:
    silences = standing_silences(now)
    quiet = inhibited([(rule, _standing(states[rule.name])) for rule in rules], now)
    families: dict[str, list[Alert]] = defaultdict(list)
    for rule in rules:
        state = states[rule.name]
        is_muted = rule.name in quiet or is_silenced(rule, silences)
        families[rule.family].append(_alert(rule, state, seen.get(rule.name), is_muted=is_muted))
    queued = 0
    for family in families.values():
        chosen = to_tell(family, now)
        if chosen:
            said = document(chosen, installation=settings.PUBLIC_URL, runbooks=settings.ALERT_RUNBOOKS_URL, now=now)
            queued += queue_everywhere(said)
            _note_told(chosen, states, now)
        _settle_muted(family, states, now)
    return queued


def _note_told(alerts: Iterable[Alert], states: dict[str, AlertState], now: datetime) -> None:
    for alert in alerts:
        state = states[alert.rule.name]
        state.told, state.told_at = alert.standing.status.value, now
        state.told_subjects = alert.seen.subjects if alert.seen else state.told_subjects
        level = logging.INFO if alert.standing.status is Status.RESOLVED else logging.WARNING
        logger.log(level, "alert_told", extra={"rule": alert.rule.name, "status": alert.standing.status.value})


def _settle_muted(family: Iterable[Alert], states: dict[str, AlertState], now: datetime) -> None:
    """What came and went while it was muted is not told when the silence ends."""
    for alert in family:
        if alert.is_muted and alert.is_unheard:
            states[alert.rule.name].told, states[alert.rule.name].told_at = Status.RESOLVED.value, now


def _is_due(rule: Rule, kept: dict[str, AlertState], now: datetime) -> bool:
    state = kept.get(_fingerprint(rule))
    return state is None or (now - state.evaluated_at).total_seconds() >= rule.every_seconds - 10


def _fingerprint(rule: Rule) -> str:
    return fingerprint(rule.name, installation=settings.PUBLIC_URL)


def _fresh(rule: Rule, now: datetime) -> AlertState:
    return AlertState(fingerprint=_fingerprint(rule), rule=rule.name, status=Status.OK.value, evaluated_at=now)


def _alert(rule: Rule, state: AlertState, seen: Seen | None, *, is_muted: bool) -> Alert:
    told = Status(state.told) if state.told else None
    return Alert(
        rule=rule,
        standing=_standing(state),
        told=told,
        told_at=state.told_at,
        is_muted=is_muted,
        seen=seen,
        told_subjects=state.told_subjects,
    )


def _standing(state: AlertState) -> Standing:
    return Standing(
        status=Status(state.status),
        since=state.since,
        fired_at=state.fired_at,
        clear_since=state.clear_since,
        value=state.value,
    )


def _move(state: AlertState, standing: Standing, now: datetime) -> None:
    if standing.status.value != state.status:
        logger.info("alert_changed", extra={"rule": state.rule, "status": standing.status.value})
    for name, value in asdict(standing).items():
        setattr(state, name, value)
    state.status, state.evaluated_at = standing.status.value, now


_CHANGES = [
    "status", "since", "fired_at", "clear_since", "value", "evaluated_at", "told", "told_at", "counted_from",
    "told_subjects",
]  # fmt: skip


def _store(states: Iterable[AlertState]) -> None:
    AlertState.objects.bulk_create(states, update_conflicts=True, unique_fields=["fingerprint"], update_fields=_CHANGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAlert:
    """An alert that is pending or firing, for whoever looks. `is_muted`: silenced, or explained by another."""

    rule: Rule
    status: Status
    since: datetime | None
    value: float | None
    is_muted: bool


def active_alerts(*, now: datetime | None = None) -> list[ActiveAlert]:
    """What is pending or fires, the worst first."""
    now = now or timezone.now()
    rules = {rule.name: rule for rule in RULES}
    states = list(AlertState.objects.filter(rule__in=rules).exclude(status=Status.OK.value))
    silences = standing_silences(now)
    quiet = inhibited([(rules[state.rule], _standing(state)) for state in states], now)
    found = [
        ActiveAlert(
            rule=rules[state.rule],
            status=Status(state.status),
            since=state.since,
            value=state.value,
            is_muted=state.rule in quiet or is_silenced(rules[state.rule], silences),
        )
        for state in states
        if state.status != Status.RESOLVED
    ]
    worst_first = tuple(reversed(Severity))
    return sorted(found, key=lambda a: (a.status is Status.PENDING, worst_first.index(a.rule.severity), a.rule.name))


def evaluated_at() -> datetime | None:
    """When the rules were last evaluated; None for never."""
    return AlertEvaluator.objects.values_list("evaluated_at", flat=True).first()
