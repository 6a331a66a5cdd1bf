"""Brings failures from memory into their rows, and moves a group from state to state. It knows no page."""

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from monitoring.errors.collector import KEPT_REQUESTS, Failures, collector
from monitoring.errors.models import ErrorGroup, ErrorState
from monitoring.metrics import metrics
from monitoring.periodic import is_away
from security.audit import Action, record
from security.crypto import SubjectKey

logger = logging.getLogger("monitoring.errors")

MOST_GROUPS = 1000
_ACTIONS = {ErrorState.ACKNOWLEDGED: Action.ERROR_ACKNOWLEDGED, ErrorState.RESOLVED: Action.ERROR_RESOLVED}


def flush_errors() -> int:
    """Bring what this process has heard of since the last time into rows; how many groups.

    Raises django.db.Error where the database is away: nothing is lost, and the next call brings it.
    """
    taken = collector.take()
    kept = 0
    for done, failures in enumerate(taken):
        try:
            _keep(failures)
        except Exception as error:
            if is_away(error):
                collector.give_back(taken[done:])
                raise
            # One group that the database does not take must not hold up the others. Without the exception, which
            # would be one more to bring.
            metrics().errors_dropped.inc(failures.count)
            told = {"group": failures.fingerprint, "error": type(error).__name__}
            logger.warning("error_group_not_kept", extra=told)
        else:
            kept += 1
    if taken:
        _bound()
    return kept


def _keep(failures: Failures) -> None:
    try:
        event = _written(failures)
    except IntegrityError:
        event = _written(failures)  # another process met it first, in that very moment
    if event:
        metrics().error_groups.labels(event).inc()


def _written(failures: Failures) -> str:
    """Begin its group or add to it; what became of that: "new", "regressed", or "" where it only grew."""
    with transaction.atomic(durable=True):
        group = ErrorGroup.objects.select_for_update().filter(fingerprint=failures.fingerprint).first()
        if group is not None:
            return _add(group, failures)
        ErrorGroup.objects.create(
            fingerprint=failures.fingerprint,
            exception=failures.exception,
            place=failures.place,
            first_seen_at=failures.first_seen_at,
            first_release=settings.VERSION,
            count=failures.count,
            request_ids=list(failures.request_ids),
            state_changed_at=failures.first_seen_at,
            **_last(failures),
        )
    return "new"


def _add(group: ErrorGroup, failures: Failures) -> str:
    # What was under way when somebody called it resolved is no relapse.
    is_relapse = group.state == ErrorState.RESOLVED and failures.last_seen_at > group.state_changed_at
    if is_relapse:
        group.state, group.state_changed_at = ErrorState.REGRESSED, failures.last_seen_at
    group.count += failures.count
    group.first_seen_at = min(group.first_seen_at, failures.first_seen_at)
    group.request_ids = [*failures.request_ids, *group.request_ids][:KEPT_REQUESTS]
    if failures.last_seen_at >= group.last_seen_at:
        for name, value in _last(failures).items():
            setattr(group, name, value)
    group.save()
    return "regressed" if is_relapse else ""


def _last(failures: Failures) -> dict[str, Any]:
    return {
        "last_seen_at": failures.last_seen_at,
        "last_release": settings.VERSION,
        "message": failures.message,
        "route": failures.route,
        "traceback": failures.traceback,
    }


def _bound() -> None:
    """Let the groups go that nobody misses: resolved ones first, then those not seen for longest."""
    over = ErrorGroup.objects.count() - MOST_GROUPS
    if over > 0:
        resolved = ErrorGroup.objects.filter(state=ErrorState.RESOLVED).order_by("last_seen_at")
        keys = list(resolved.values_list("pk", flat=True)[:over])
        if len(keys) < over:
            others = ErrorGroup.objects.exclude(pk__in=keys).order_by("last_seen_at")
            keys += others.values_list("pk", flat=True)[: over - len(keys)]
        ErrorGroup.objects.filter(pk__in=keys).delete()


def acknowledge_error(*, group: ErrorGroup, actor: SubjectKey, session_id: Any) -> bool:
    """Somebody looks at it; False where it was acknowledged already. Its event stands with it."""
    return _move(group, ErrorState.ACKNOWLEDGED, actor=actor, session_id=session_id, now=timezone.now())


def resolve_error(*, group: ErrorGroup, actor: SubjectKey, session_id: Any) -> bool:
    """It should not come again; False where it was resolved already. What happens later makes it regressed."""
    return _move(group, ErrorState.RESOLVED, actor=actor, session_id=session_id, now=timezone.now())


def _move(group: ErrorGroup, state: ErrorState, *, actor: SubjectKey, session_id: Any, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        moved = ErrorGroup.objects.filter(pk=group.pk).exclude(state=state).update(state=state, state_changed_at=now)
        if moved:
            data = {"group": group.fingerprint, "surface": "admin"}
            record(_ACTIONS[state], actor=actor, session_id=session_id, data=data)
    return bool(moved)
