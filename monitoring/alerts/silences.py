"""Silences: who wants not to hear of which alerts, until when and why. Both ends of one are audit events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.models import AlertSilence
from monitoring.alerts.rules import Family, Rule, Severity
from security.audit import Action, record
from security.crypto import SubjectKey
from security.operator_account import check_reason

LONGEST = timedelta(days=30)


class SilenceRefused(ValueError):  # noqa: N818 - the sentence that the operator reads
    """This silence may not be."""


class SilenceUnknown(LookupError):  # noqa: N818 - named for what it is
    """No silence of this id stands."""


def silence(
    *,
    author: str,
    reason: str,
    until: datetime,
    rule: str = "",
    family: str = "",
    severity: str = "",
    actor: SubjectKey | None = None,
) -> AlertSilence:
    """Tell nobody of alerts that fit all that is given of `rule`, `family` and `severity`, until `until`.

    `author` is the operator's system account, or the pseudonym of `actor`. What fires goes on firing; only the messages
    stop, and whoever was told of it still hears when it is over. Raises SilenceRefused, ReasonRefused.
    """
    now = timezone.now()
    check_reason(reason)
    if not (rule or family or severity):
        raise SilenceRefused("say which alerts: a rule, a family or a severity")
    if rule and rule not in {known.name for known in RULES}:
        raise SilenceRefused(f"{rule} is no rule")
    if family and family not in list(Family):
        raise SilenceRefused(f"{family} is no family; there are {', '.join(Family)}")
    if severity and severity not in list(Severity):
        raise SilenceRefused(f"{severity} is no severity; there are {', '.join(Severity)}")
    if not now < until <= now + LONGEST:
        raise SilenceRefused(f"a silence ends within {LONGEST.days} days")
    with transaction.atomic():
        made = AlertSilence.objects.create(
            rule=rule, family=family, severity=severity, author=author, reason=reason, created_at=now, until=until
        )
        told = {"silence": str(made.pk), "rule": rule, "family": family, "severity": severity}
        record(
            Action.ALERT_SILENCED,
            actor=actor,
            data=told | {"until": until.isoformat(), "reason": reason, "author": author},
        )
    return made


def end_silence(silence_id: UUID, *, author: str, actor: SubjectKey | None = None) -> AlertSilence:
    """End a silence before its time. Raises SilenceUnknown where none of this id stands."""
    now = timezone.now()
    with transaction.atomic():
        found = AlertSilence.objects.select_for_update().standing(now).filter(pk=silence_id).first()
        if found is None:
            raise SilenceUnknown(f"no silence {silence_id} stands")
        found.ended_at = now
        found.save(update_fields=["ended_at"])
        record(Action.ALERT_SILENCE_ENDED, actor=actor, data={"silence": str(silence_id), "author": author})
    return found


def standing_silences(now: datetime) -> list[AlertSilence]:
    """Those that hold now, the newest first."""
    return list(AlertSilence.objects.standing(now))


def is_silenced(rule: Rule, silences: Sequence[AlertSilence]) -> bool:
    """Whether one of `silences` fits `rule`."""
    return any(
        one.rule in ("", rule.name) and one.family in ("", rule.family) and one.severity in ("", rule.severity)
        for one in silences
    )
