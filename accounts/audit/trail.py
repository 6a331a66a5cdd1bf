"""A company's own part of the audit log, for its ADMIN at the API. Each look is an event, in the same trail.

Names and pseudonyms never stand side by side: a list has names, an event has the bytes that were sealed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.audit.labels import Label, labels_of
from accounts.identity.models import Company, User
from accounts.sessions.models import Session
from accounts.sessions.trail import record_by
from security.audit import Action, AuditEvent, AuditPii, Found, Leaf, LeafRefused, Wanted, find
from security.errors import Archived, NotFound
from security.tlog import NotSealed, ProofWrong, may_be_archived, prove, signed_tree


@dataclass(frozen=True, slots=True)
class Trail:
    """A page of a company's events, whom they name, and how many events are sealed in all."""

    found: Found
    labels: Mapping[UUID, Label]
    sealed: int


@dataclass(frozen=True, slots=True)
class Told:
    """One event. `proof` is "" while it is not sealed; `leaf` None where it `is_changed` and can be read no more.

    `held` names the personal values that it commits to and that are still there.
    """

    event: AuditEvent
    leaf: Leaf | None
    proof: str
    is_changed: bool
    held: list[str]


def read_trail(
    *, by: Session, company: Company, wanted: Wanted, sought: Mapping[str, Any], size: int, before: int | None
) -> Trail:
    """The newest events of `company` that are wanted, of those with a row id below `before`.

    `actor` and `target` may be ids of its people; another's are the pseudonyms of nobody here.
    """
    found = find(_of_company(wanted, company), size=size, before=before)
    labels = labels_of(who for event in found.events for who in (event.actor, event.target))
    last = signed_tree.read()
    data = {"model": "auditevent", "filters": sorted(sought), "searched": False, "page": 1, "rows": len(found.events)}
    given = {name: str(value) for name, value in sought.items()}
    _record(by, Action.LIST_VIEWED, data, pii={"sought": {"search": "", "filters": given}} if given else None)
    return Trail(found, labels, last["size"] if last else 0)


def read_told(*, by: Session, company: Company, event_id: UUID) -> Told:
    """One event of `company`, with its proof. Raises NotFound, also for another's, and Archived for an id so old."""
    event = AuditEvent.objects.filter(event_id=event_id, company=company.subject_id).first()
    if event is None:
        raise Archived if may_be_archived(_time_in(event_id)) else NotFound
    is_changed, leaf, proof = False, None, ""
    try:
        leaf = event.parsed_leaf()
        proof = prove(event).text
    except NotSealed:
        pass
    except (LeafRefused, ProofWrong):
        is_changed = True
    held = list(AuditPii.objects.filter(event=event).order_by("field").values_list("field", flat=True))
    told = {"event": str(event.event_id), "type": event.type}
    _record(by, Action.AUDIT_EVENT_VIEWED, told)
    return Told(event, leaf, proof, is_changed, held)


def _time_in(event_id: UUID) -> datetime:
    """When an id of ours was made (RFC 9562 section 5.7); now for one that cannot be ours."""
    now = timezone.now()
    milliseconds = event_id.int >> 80
    if event_id.version != 7 or milliseconds > now.timestamp() * 1000:
        return now
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _of_company(wanted: Wanted, company: Company) -> Wanted:
    named = {who for who in (wanted.actor, wanted.target) if who is not None}
    people = User.objects.filter(pk__in=named, company=company) if named else User.objects.none()
    subjects = dict(people.values_list("pk", "subject_id"))
    return replace(
        wanted,
        company=company.subject_id,
        actor=subjects.get(wanted.actor, wanted.actor) if wanted.actor else None,
        target=subjects.get(wanted.target, wanted.target) if wanted.target else None,
    )


def _record(by: Session, action: Action, data: Mapping[str, Any], *, pii: Mapping[str, Any] | None = None) -> None:
    with transaction.atomic(durable=True):
        record_by(by, action, data={**data, "surface": "api"}, pii=pii)
