"""Evaluates the rules, tells what changed, and answers what stands. What a rule means is decided in pure modules.

A change of state, what was told of it, and the messages are one transaction: whoever is killed leaves all or nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connections, router, transaction
from django.db.models import DateTimeField
from django.utils import timezone

from monitoring.alerts.asking import Answers, ask, due, note_turn
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.grouping import Alert, Seen, inhibited, to_tell
from monitoring.alerts.machine import Standing, Status, advance
from monitoring.alerts.measuring import UNKNOWN
from monitoring.alerts.messages import document
from monitoring.alerts.models import AlertEvaluator, AlertState
from monitoring.alerts.rules import Outage, Rule
from monitoring.alerts.silences import is_silenced, standing_silences
from monitoring.alerts.sources import DatabaseSource
from monitoring.channels import queue_everywhere

logger = logging.getLogger("monitoring.alerts")

# Less than the fifteen seconds of the schedule: a slot that came twice is one.
_LEAST_APART = timedelta(seconds=5)


def evaluate_alerts(*, rules: Sequence[Rule] = RULES) -> int:
    """Measure every rule that is due, move its alert on, and queue what is to be told; how many messages that made.

    Any number of processes may call it: one at a time comes through, and twice in five seconds is once. Raises
    DatabaseError where the states themselves cannot be written.
    """
    if not settings.ALERTS:
        return 0
    now = timezone.now()
    last = evaluated_at()
    if last is not None and abs(now - last) < _LEAST_APART:
        return 0
    watched = {rule.name: rule for rule in rules if not isinstance(rule.expression, Outage)}
    kept = _kept(watched, now)
    asked = due(watched.values(), kept, now)
    source = DatabaseSource(now, last=last)
    source.keep_counts()
    answers = ask(asked, kept, source)
    with transaction.atomic(using=router.db_for_write(AlertState), durable=True):
        if not _is_ours(now):
            return 0
        kept = _kept(watched, now)
        states = {name: kept.get(name) or _fresh(name, now) for name in watched}
        for rule in asked:
            state = states[rule.name]
            _move(state, advance(rule, _standing(state), answers.measured.get(rule.name, UNKNOWN), now))
            _count_from(state, answers.seen.get(rule.name))
            note_turn(rule, state, answers, now)
        queued = _tell(watched.values(), states, answers, now)
        _store(states.values())
        AlertEvaluator.objects.filter(pk=1).update(evaluated_at=now)
    return queued


def _kept(rules: Iterable[str], now: datetime) -> dict[str, AlertState]:
    """The states by rule. A clock that was put back left times to come: as they stand all would wait for them."""
    kept = AlertState.objects.in_bulk(rules)
    for state in kept.values():
        for name in _TIMES:
            moment = getattr(state, name)
            if moment is not None and moment > now:
                setattr(state, name, now)
    return kept


def _count_from(state: AlertState, seen: Seen | None) -> None:
    if state.status != Status.FIRING:
        state.counted_from = state.told_subjects = None
    elif seen is not None:
        state.counted_from = seen.since


def _is_ours(now: datetime) -> bool:
    """Take the evaluator's row for the length of the transaction; False where another holds it or was just here."""
    using = router.db_for_write(AlertEvaluator)
    AlertEvaluator.objects.bulk_create([AlertEvaluator(pk=1)], ignore_conflicts=True)
    can_skip = connections[using].features.has_select_for_update_skip_locked
    row = AlertEvaluator.objects.select_for_update(skip_locked=can_skip).filter(pk=1).first()
    return row is not None and (row.evaluated_at is None or abs(now - row.evaluated_at) >= _LEAST_APART)


def _tell(rules: Collection[Rule], states: dict[str, AlertState], answers: Answers, now: datetime) -> int:
    silences = standing_silences(now)
    quiet = inhibited([(rule, _standing(states[rule.name])) for rule in rules], now)
    families: dict[str, list[Alert]] = defaultdict(list)
    for rule in rules:
        state = states[rule.name]
        is_muted = rule.name in quiet or is_silenced(rule, silences)
        families[rule.family].append(_alert(rule, state, answers, is_muted=is_muted))
    queued = 0
    for family in families.values():
        chosen, made = to_tell(family, now), 0
        if chosen:
            said = document(chosen, installation=settings.PUBLIC_URL, runbooks=settings.ALERT_RUNBOOKS_URL, now=now)
            made = queue_everywhere(said)
        # Where no channel took it nobody was told: one that is set up later hears of what still fires.
        if made:
            _note_told(chosen, states, now)
        _settle([alert for alert in family if alert.is_muted or (alert in chosen and not made)], states, now)
        queued += made
    return queued


def _note_told(alerts: Iterable[Alert], states: dict[str, AlertState], now: datetime) -> None:
    for alert in alerts:
        state = states[alert.rule.name]
        state.told, state.told_at = alert.standing.status.value, now
        state.told_subjects = alert.seen.subjects if alert.seen else state.told_subjects
        level = logging.INFO if alert.standing.status is Status.RESOLVED else logging.WARNING
        logger.log(level, "alert_told", extra={"rule": alert.rule.name, "status": alert.standing.status.value})


def _settle(untold: Iterable[Alert], states: dict[str, AlertState], now: datetime) -> None:
    """What came and went while nobody could hear of it is not told when a silence ends, or a channel is set up."""
    for alert in untold:
        if alert.is_unheard:
            states[alert.rule.name].told, states[alert.rule.name].told_at = Status.RESOLVED.value, now


def _fresh(rule: str, now: datetime) -> AlertState:
    return AlertState(rule=rule, status=Status.OK.value, evaluated_at=now)


def _alert(rule: Rule, state: AlertState, answers: Answers, *, is_muted: bool) -> Alert:
    told = Status(state.told) if state.told else None
    return Alert(
        rule=rule,
        standing=_standing(state),
        told=told,
        told_at=state.told_at,
        is_muted=is_muted,
        seen=answers.seen.get(rule.name),
        told_subjects=state.told_subjects,
        about=answers.about.get(rule.name, ()),
    )


def _standing(state: AlertState) -> Standing:
    return Standing(
        status=Status(state.status),
        since=state.since,
        fired_at=state.fired_at,
        clear_since=state.clear_since,
        value=state.value,
    )


def _move(state: AlertState, standing: Standing) -> None:
    if standing.status.value != state.status:
        logger.info("alert_changed", extra={"rule": state.rule, "status": standing.status.value})
    for name, value in asdict(standing).items():
        setattr(state, name, value)
    state.status = standing.status.value


_TIMES = [field.name for field in AlertState._meta.concrete_fields if isinstance(field, DateTimeField)]
_CHANGES = [field.name for field in AlertState._meta.concrete_fields if not field.primary_key]


def _store(states: Iterable[AlertState]) -> None:
    AlertState.objects.bulk_create(states, update_conflicts=True, unique_fields=["rule"], update_fields=_CHANGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAlert:
    """An alert that is pending or firing, for whoever looks. `is_muted`: silenced, or explained by another.

    `is_told`: a message that it fires was queued.
    """

    rule: Rule
    status: Status
    since: datetime | None
    value: float | None
    is_muted: bool
    is_told: bool


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
            is_told=state.status == state.told == Status.FIRING,
        )
        for state in states
        if state.status != Status.RESOLVED
    ]
    return sorted(found, key=lambda a: (a.status is Status.PENDING, -a.rule.severity.rank, a.rule.name))


def evaluated_at() -> datetime | None:
    """When the rules were last evaluated; None for never."""
    return AlertEvaluator.objects.values_list("evaluated_at", flat=True).first()
