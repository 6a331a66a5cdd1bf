"""The life of one alert: ok → pending → firing → resolved. Pure: time and measurement are passed in."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from monitoring.alerts.measuring import Measured
from monitoring.alerts.rules import Rule


class Status(StrEnum):
    """Where an alert stands."""

    OK = "ok"
    PENDING = "pending"  # true, not yet for long enough
    FIRING = "firing"
    RESOLVED = "resolved"  # fired, and is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`since` is when the status began, `clear_since` when what fires last came below where it clears."""

    status: Status = Status.OK
    since: datetime | None = None
    fired_at: datetime | None = None
    clear_since: datetime | None = None
    value: float | None = None


def advance(rule: Rule, standing: Standing, measured: Measured, now: datetime) -> Standing:
    """Where the alert stands after this measurement; unchanged where nothing could be measured."""
    if measured.value is None or measured.calm is None:
        return standing
    standing = replace(standing, value=measured.value)
    if standing.status is Status.FIRING:
        return _toward_its_end(rule, standing, measured.calm, now)
    if measured.value <= rule.threshold:
        if standing.status is Status.PENDING:
            return replace(standing, status=Status.OK, since=now)
        return standing
    if standing.status is not Status.PENDING:
        standing = replace(standing, status=Status.PENDING, since=now)
    if _seconds(standing.since, now) >= rule.for_seconds:
        return replace(standing, status=Status.FIRING, since=now, fired_at=now, clear_since=None)
    return standing


def _toward_its_end(rule: Rule, standing: Standing, calm: float, now: datetime) -> Standing:
    if calm > rule.clears_at:
        return replace(standing, clear_since=None)
    since = standing.clear_since or now
    if _seconds(since, now) >= rule.clear_after_seconds:
        return replace(standing, status=Status.RESOLVED, since=now, clear_since=None)
    return replace(standing, clear_since=since)


def _seconds(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else (now - since).total_seconds()
