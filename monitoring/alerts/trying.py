"""Sends an invented alert by one channel, so that somebody sees whether it would arrive."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction

from monitoring.alerts.grouping import Alert
from monitoring.alerts.machine import Standing, Status
from monitoring.alerts.messages import document
from monitoring.alerts.rules import Absence, Family, Rule, Severity
from monitoring.channels import PAGERDUTY, tell_at_once
from monitoring.rollups import BEATS, Selector
from security.audit import Action, Outcome, record
from security.outbox import DeliveryFailed

_RULE = Rule(
    name="alert_test",
    family=Family.OPERATION,
    severity=Severity.INFO,
    title="A test: nothing is wrong",
    expression=Absence(of=Selector(BEATS), seconds=60),
    threshold=0,
)


def try_channel(channel: str, *, operator: str) -> None:
    """Send a test by `channel` now, past the outbox; an event tells how that ended.

    Raises ChannelNotSet, DeliveryFailed.
    """
    now = datetime.now(UTC)
    # At PagerDuty it would stand until somebody closed it; there the end of one that never was is taken as well.
    status = Status.RESOLVED if channel == PAGERDUTY else Status.FIRING
    alert = Alert(rule=_RULE, standing=Standing(status=status, since=now, fired_at=now, value=0.0))
    said = document([alert], installation=settings.PUBLIC_URL, runbooks=settings.ALERT_RUNBOOKS_URL, now=now)
    try:
        tell_at_once(channel, said)
    except DeliveryFailed:
        _note(channel, Outcome.FAILED, operator)
        raise
    _note(channel, Outcome.SUCCESS, operator)


def _note(channel: str, outcome: Outcome, operator: str) -> None:
    with transaction.atomic():
        record(Action.ALERT_TESTED, outcome=outcome, data={"channel": channel, "operator": operator})
