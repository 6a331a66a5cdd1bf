"""Plans and holds of retention. There is no table of them: each is what sealed events say, so none is altered unseen.

Who may propose and approve, the caller has made sure of.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from security.audit import Action, AuditClass, AuditEvent, record
from security.audit.leaf import Leaf, timestamp
from security.crypto import SubjectKey
from security.operator_account import check_reason, operator_name
from security.retention.policy import RetentionRefused, kept_days
from security.tlog import NotSealed, ProofWrong, configured_witnesses, newest_cosigned, prove, require_signed

# Later, holds and settings are not those that its approver looked at.
PLAN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What may go: of each class the events before its moment, among the first `size` of the log.

    `approved_by` is None while nobody has.
    """

    id: UUID
    at: datetime
    proposed_by: UUID
    size: int
    cutoffs: Mapping[AuditClass, datetime]
    approved_by: UUID | None


@dataclass(frozen=True, slots=True)
class LogHold:
    """An order that nothing of the log may go."""

    id: UUID
    at: datetime
    reason: str


def propose_plan(*, by: SubjectKey, reason: str, classes: Iterable[AuditClass]) -> Plan:
    """Fix what may go now. Raises ReasonRefused, RetentionRefused, NotSealed."""
    check_reason(reason)
    now, days = timezone.now(), kept_days()
    told = {
        "size": sealed_and_witnessed(),
        "cutoffs": {str(one): timestamp(now - timedelta(days=days[one])) for one in classes},
        "reason": reason,
        "account": operator_name(),
    }
    with transaction.atomic(durable=True):
        event = record(Action.RETENTION_PROPOSED, actor=by, data=told)
    return _plan(event, event.parsed_leaf(), ())


def approve_plan(plan: Plan, *, by: SubjectKey) -> None:
    """Let the plan be run. Raises RetentionRefused for its proposer, and for one approved or over."""
    check_open(plan)
    if plan.proposed_by == by.pk:
        raise RetentionRefused("same_person", "who proposed a plan cannot approve it; ask a second person")
    if plan.approved_by is not None:
        raise RetentionRefused("approved", f"plan {plan.id} is approved already")
    with transaction.atomic(durable=True):
        told = {"plan": str(plan.id), "account": operator_name()}
        record(Action.RETENTION_APPROVED, actor=by, data=told)


def find_plan(plan_id: UUID) -> Plan:
    """The plan that this id was printed for. Raises RetentionRefused."""
    event = AuditEvent.objects.filter(event_id=plan_id, type=Action.RETENTION_PROPOSED.type).first()
    if event is None:
        raise RetentionRefused("unknown", f"there is no plan {plan_id}")
    leaf = event.parsed_leaf()
    return _plan(event, leaf, _approvals(since=leaf.occurred_at))


def open_plans() -> list[Plan]:
    """Those that are not over, the oldest first."""
    since = timezone.now() - timedelta(days=PLAN_DAYS)
    approvals = _approvals(since=since)
    return [_plan(event, leaf, approvals) for event, leaf in _told(Action.RETENTION_PROPOSED, since=since)]


def check_open(plan: Plan) -> None:
    """Raises RetentionRefused for a plan that is over."""
    if plan.at < timezone.now() - timedelta(days=PLAN_DAYS):
        raise RetentionRefused("over", f"plan {plan.id} is more than {PLAN_DAYS} days old; propose a new one")


def check_approved(plan: Plan) -> None:
    """Raises RetentionRefused unless two people are proved to have agreed: both events lead to the signed root."""
    if plan.approved_by is None:
        raise RetentionRefused("not_approved", f"plan {plan.id} waits for a second person: --approve {plan.id}")
    proposed = AuditEvent.objects.get(event_id=plan.id)
    approvals = [told for told in _told(Action.RETENTION_APPROVED, since=plan.at) if _is_of(told[1], plan.id)]
    for event in (proposed, *(event for event, _ in approvals)):
        try:
            prove(event)
        except NotSealed as waits:
            raise RetentionRefused("not_sealed", f"{waits}; run it again in a minute") from waits
        except ProofWrong as wrong:
            raise RetentionRefused("changed", str(wrong)) from wrong
    # Who owns the database can halt a run between two statements, and take away what the plan was read from.
    if _plan(proposed, proposed.parsed_leaf(), (leaf for _, leaf in approvals)) != plan:
        raise RetentionRefused("changed", f"plan {plan.id} is not what was sealed: run audit_verify")


def sealed_and_witnessed() -> int:
    """How many events are signed, and cosigned by each witness: above it nothing may go. Raises NotSealed."""
    size = require_signed().size
    for witness in configured_witnesses():
        size = min(size, newest_cosigned(witness))
    return size


def place_log_hold(*, reason: str) -> LogHold:
    """Have nothing go until it is lifted. Raises ReasonRefused."""
    check_reason(reason)
    with transaction.atomic(durable=True):
        event = record(Action.RETENTION_HOLD_PLACED, data={"reason": reason, "operator": operator_name()})
    return LogHold(event.event_id, event.occurred_at, reason)


def lift_log_hold(hold_id: UUID, *, reason: str) -> None:
    """End a hold on the log. Raises ReasonRefused, RetentionRefused."""
    check_reason(reason)
    if hold_id not in {hold.id for hold in log_holds()}:
        raise RetentionRefused("unknown", f"no hold {hold_id} stands on the log")
    with transaction.atomic(durable=True):
        told = {"hold": str(hold_id), "reason": reason, "operator": operator_name()}
        record(Action.RETENTION_HOLD_LIFTED, data=told)


def log_holds() -> list[LogHold]:
    """Those that stand on the whole log, the oldest first."""
    lifted = {leaf.data.get("hold") for _, leaf in _told(Action.RETENTION_HOLD_LIFTED)}
    return [
        LogHold(leaf.id, leaf.occurred_at, str(leaf.data["reason"]))
        for _, leaf in _told(Action.RETENTION_HOLD_PLACED)
        if str(leaf.id) not in lifted
    ]


def check_no_log_hold() -> None:
    """Raises RetentionRefused while one stands."""
    for hold in log_holds():
        raise RetentionRefused("log_hold", f"a hold stands on the whole log since {hold.at:%Y-%m-%d}: {hold.reason}")


def _approvals(*, since: datetime) -> list[Leaf]:
    return [leaf for _, leaf in _told(Action.RETENTION_APPROVED, since=since)]


def _plan(event: AuditEvent, leaf: Leaf, approvals: Iterable[Leaf]) -> Plan:
    approvers = (told.actor for told in approvals if _is_of(told, leaf.id))
    if leaf.actor is None:
        raise RetentionRefused("changed", f"plan {leaf.id} names nobody; run audit_verify")
    return Plan(
        id=event.event_id,
        at=leaf.occurred_at,
        proposed_by=leaf.actor,
        size=int(leaf.data["size"]),
        cutoffs={AuditClass(one): datetime.fromisoformat(at) for one, at in leaf.data["cutoffs"].items()},
        approved_by=next((who for who in approvers if who not in (None, leaf.actor)), None),
    )


def _is_of(leaf: Leaf, plan_id: UUID) -> bool:
    return bool(leaf.data.get("plan") == str(plan_id))


def _told(action: Action, *, since: datetime | None = None) -> Iterator[tuple[AuditEvent, Leaf]]:
    """What was recorded of `action`, the oldest first. Raises LeafRefused, RetentionRefused where one was changed."""
    events = AuditEvent.objects.filter(type=action.type).order_by("id")
    for event in events if since is None else events.filter(occurred_at__gte=since):
        leaf = event.parsed_leaf()
        if leaf.type != action.type:
            raise RetentionRefused("changed", f"event {event.event_id} is no {action.type}: run audit_verify")
        yield event, leaf
