"""What auditors do: search, read an event, open its personal values, take its proof or a year away. Each is an event.

`by` is their own session in the admin. Every act raises RightMissing without the right; if its mark cannot be written,
nothing is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.audit.download import Download
from accounts.audit.labels import Label, labels_of, pseudonyms_in
from accounts.audit.years import FinancialYear, lines
from accounts.sessions.models import Session
from accounts.sessions.trail import record_by
from accounts.staff.acts import RightMissing, record_view_of_list
from security.audit import (
    Action,
    AuditEvent,
    AuditPii,
    Found,
    Leaf,
    LeafRefused,
    Wanted,
    disclosed_values,
    find,
)
from security.crypto import SubjectKey
from security.tlog import (
    NotSealed,
    Proof,
    ProofWrong,
    Standing,
    log_standing,
    may_be_archived,
    prove,
    require_signed,
    standing_of,
)

# Events name people and companies: the right to the log alone is not enough.
RIGHTS = ("security.view_auditevent", "accounts.view_user", "accounts.view_company")
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of events, whom they name, and how far the log is proved.

    `about` is how many events there are of what was sought, to two digits; None where nobody knows, or where one page
    holds them all.
    """

    found: Found
    labels: Mapping[UUID, Label]
    standing: Standing
    about: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One event. `leaf` is None where its bytes are no leaf, `proof` None while it is not sealed, or where `wrong`.

    `held` names the personal values that are not erased; `events` has the row id of each event that it names by id.
    """

    event: AuditEvent
    leaf: Leaf | None
    labels: Mapping[UUID, Label]
    standing: Standing
    proof: Proof | None
    wrong: str
    held: frozenset[str]
    events: Mapping[str, int]


def list_events(*, by: Session, wanted: Wanted, sought: Mapping[str, str], before: int | None = None) -> Listing:
    """The newest events that are wanted, of those with a row id below `before`."""
    _check(by)
    found = find(wanted, size=PAGE_SIZE, before=before, is_estimating=before is None)
    labels = labels_of(who for event in found.events for who in (event.actor, event.target, event.company))
    position = {"before": str(before)} if before is not None else {}
    record_view_of_list(
        by=by, model="auditevent", search="", filters={**sought, **position}, page=1, rows=len(found.events)
    )
    about = None if found.about is None else _to_two_digits(found.about)
    return Listing(found, labels, log_standing(), about)


def read_event(*, by: Session, event: AuditEvent) -> Reading:
    """All that an event says but its personal values, and whether it leads to what was signed, as found now."""
    _check(by)
    try:
        leaf = event.parsed_leaf()
    except LeafRefused:
        leaf = None
    named = pseudonyms_in(leaf.data) if leaf else set()
    labels = labels_of({event.actor, event.target, event.company, *named})
    proof, wrong = None, ""
    try:
        proof = prove(event)
    except NotSealed:
        pass
    except ProofWrong as changed:
        wrong = str(changed)
    held = AuditPii.objects.filter(event=event).values_list("field", "subject")
    kept = SubjectKey.objects.filter(pk__in={who for _, who in held}, destroyed_at=None).values_list("pk", flat=True)
    alive = set(kept)
    _mark(by, Action.AUDIT_EVENT_VIEWED, event, labels)
    return Reading(
        event=event,
        leaf=leaf,
        labels=labels,
        standing=standing_of(event),
        proof=proof,
        wrong=wrong,
        held=frozenset(name for name, who in held if who in alive),
        events=_events_named(leaf) if leaf else {},
    )


def disclose(*, by: Session, event: AuditEvent, reason: str) -> dict[str, Any]:
    """The personal values of an event that are not erased. Raises DecryptionFailed, LeafRefused: it was changed."""
    _check(by)
    _mark(by, Action.AUDIT_EVENT_DISCLOSED, event, labels_of((event.actor, event.target, event.company)), reason=reason)
    return disclosed_values(event=event)


def take_proof(*, by: Session, event: AuditEvent) -> Proof:
    """The proof of an event as a file. Raises NotSealed, ProofWrong."""
    _check(by)
    proof = prove(event)
    _record_export(by, event=str(event.event_id), form="tlog-proof", size=proof.size)
    return proof


def take_leaf(*, by: Session, event: AuditEvent) -> bytes:
    """The bytes of an event, which its proof is of."""
    _check(by)
    _record_export(by, event=str(event.event_id), form="json")
    return bytes(event.leaf)


def take_year(*, by: Session, year: FinancialYear, form: str) -> Download | bytes:
    """The sealed events of a financial year in one of FORMATS, to be closed by whoever sends them; or what seals them.

    Raises NotSealed, RateLimited, Busy: events have the place that staff have for exports.
    """
    _check(by)
    checkpoint = require_signed()
    told: dict[str, str | int] = {"year": str(year), "form": form, "size": checkpoint.size}
    if form == "checkpoint":
        _record_export(by, **told)
        return checkpoint.note.encode()
    content = lines(year, form=form, checkpoint=checkpoint)
    with Download(content, session=by, reader=by.user_id, is_staff=True).kept() as download:
        _record_export(by, **told)
    return download


def record_entries_read(*, by: Session, place: str, events: int) -> None:
    """Mark that a tile of events was read over the API."""
    with transaction.atomic(durable=True):
        told = {"place": place, "form": "entries", "events": events, "surface": "api"}
        record_by(by, Action.AUDIT_EXPORTED, data=told)


def years_on_record() -> list[FinancialYear]:
    """Every financial year from that of the oldest event to the present one, the newest first."""
    oldest = AuditEvent.objects.order_by("id").values_list("occurred_at", flat=True).first()
    now = FinancialYear.of(timezone.now()).start
    first = FinancialYear.of(oldest).start if oldest else now
    return [FinancialYear(start) for start in range(now, first - 1, -1)]


def is_from_archived_time(row_id: int) -> bool:
    """Whether no event has this row id because events of its time were archived, as far as the one before it tells."""
    if row_id <= 0 or not AuditEvent.objects.filter(pk__gt=row_id).exists():
        return False
    before = AuditEvent.objects.filter(pk__lt=row_id).order_by("-pk").values_list("occurred_at", flat=True).first()
    return may_be_archived(before or datetime.min.replace(tzinfo=UTC))


def _events_named(leaf: Leaf) -> dict[str, int]:
    named = {value for value in leaf.data.values() if isinstance(value, str)} & {
        str(found) for found in pseudonyms_in(leaf.data)
    }
    rows = AuditEvent.objects.filter(event_id__in=named).values_list("event_id", "pk") if named else ()
    return {str(event_id): row_id for event_id, row_id in rows}


def _to_two_digits(number: int) -> int:
    return round(number, 2 - len(str(number)))


def _check(by: Session) -> None:
    for right in RIGHTS:
        if not by.user.has_perm(right):
            raise RightMissing(right)


def _mark(by: Session, action: Action, event: AuditEvent, labels: Mapping[UUID, Label], *, reason: str = "") -> None:
    def subject(who: UUID | None) -> SubjectKey | None:
        return labels[who].subject if who is not None else None

    with transaction.atomic(durable=True):
        record_by(
            by,
            action,
            target=subject(event.target) or subject(event.actor),  # whose data was looked at
            company=subject(event.company),
            data={"event": str(event.event_id), "type": event.type, "surface": "admin"},
            pii={"reason": reason} if reason else None,  # whatever staff write down may name somebody
        )


def _record_export(by: Session, **told: str | int) -> None:
    with transaction.atomic(durable=True):
        record_by(by, Action.AUDIT_EXPORTED, data={**told, "surface": "admin"})
