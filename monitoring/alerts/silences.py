"""Silences: who wants not to hear of which alerts, until when and why. Both ends of one are audit events.

A row alone silences nothing: it must be what an event that we marked says, and be told of as ended by none. Whoever
writes to the database past the product can make the one and not the other.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.models import LONGEST, AlertSilence
from monitoring.alerts.rules import Family, Rule, Severity
from security.audit import CLOCKS, Action, AuditEvent, LeafRefused, MarkWrong, check_mark, least_id, record
from security.crypto import SubjectKey, keyring
from security.operator_account import check_reason

logger = logging.getLogger("monitoring.alerts")

# Of each we say once a process that it is none: they are looked at every 15 seconds.
_disbelieved: set[UUID] = set()


class _Said(NamedTuple):
    rule: str
    family: str
    severity: str
    until: datetime
    author: str
    reason: str


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
    if any(known.name == rule and known.is_never_silent for known in RULES):
        raise SilenceRefused(f"{rule} is never silent: it tells of changes past the product")
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
        which = {name: value for name, value in (("rule", rule), ("family", family), ("severity", severity)) if value}
        said = {"silence": str(made.pk), **which, "until": until.isoformat(), "reason": reason}
        record(Action.ALERT_SILENCED, actor=actor, data=said | _who(author, actor))
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
        record(Action.ALERT_SILENCE_ENDED, actor=actor, data={"silence": str(silence_id)} | _who(author, actor))
    return found


def _who(author: str, actor: SubjectKey | None) -> dict[str, str]:
    # `operator` is where every event of a command says who gave it.
    return {"operator" if actor is None else "author": author}


def standing_silences(now: datetime) -> list[AlertSilence]:
    """Those that hold now and were made by the product, the newest first."""
    rows = list(AlertSilence.objects.standing(now))
    if not rows:
        return []
    made, ended = _recorded(now)
    believed = []
    for row in rows:
        says = _Said(row.rule, row.family, row.severity, row.until, row.author, row.reason)
        if row.pk not in ended and made.get(row.pk) == says:
            believed.append(row)
        elif row.pk not in _disbelieved:
            _disbelieved.add(row.pk)
            logger.warning("alert_silence_not_ours", extra={"silence": str(row.pk)})
    return believed


def is_silenced(rule: Rule, silences: Sequence[AlertSilence]) -> bool:
    """Whether one of `silences` fits `rule`, and the rule may be silent at all."""
    return not rule.is_never_silent and any(_fits(one, rule) for one in silences)


def told_all_the_same(one: AlertSilence) -> list[str]:
    """Names of the rules that `one` fits and that are never silent."""
    return sorted(rule.name for rule in RULES if rule.is_never_silent and _fits(one, rule))


def _fits(one: AlertSilence, rule: Rule) -> bool:
    return one.rule in ("", rule.name) and one.family in ("", rule.family) and one.severity in ("", rule.severity)


def _recorded(now: datetime) -> tuple[dict[UUID, _Said], set[UUID]]:
    """What our own events say of silences that may still stand, by id; and the ids of those that were ended."""
    made: dict[UUID, _Said] = {}
    ended: set[UUID] = set()
    since = least_id(now - LONGEST, margin=-CLOCKS)
    kinds = (Action.ALERT_SILENCED.type, Action.ALERT_SILENCE_ENDED.type)
    for event in AuditEvent.objects.filter(type__in=kinds, event_id__gte=since).order_by("id"):
        try:
            check_mark(event, keyring())
            leaf = event.parsed_leaf()
        except (MarkWrong, LeafRefused):
            continue
        silenced = UUID(leaf.data["silence"])
        if leaf.type == Action.ALERT_SILENCED.type:
            data = {"rule": "", "family": "", "severity": "", "author": leaf.data.get("operator"), **leaf.data}
            told = {name: data[name] for name in _Said._fields}
            made[silenced] = _Said(**told | {"until": datetime.fromisoformat(told["until"])})
        elif leaf.type == Action.ALERT_SILENCE_ENDED.type:
            ended.add(silenced)
    return made, ended
