"""Records audit events in the transaction of the act they tell of. Seals and proofs live elsewhere.

If the event cannot be written, the act does not happen: the database's error passes through (503).
"""

import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import Error, transaction
from django.utils import timezone
from uuid_utils import uuid7

from security.audit.actions import Action, Outcome
from security.audit.addresses import index_address
from security.audit.agent import agent_family
from security.audit.disclosure import seal_value
from security.audit.floods import windows
from security.audit.leaf import SALT_BYTES, Leaf, commitment, leaf_hash, window_mac
from security.audit.models import ADDRESS_FIELD, AuditEvent, AuditPii
from security.audit.signals import event_recorded
from security.audit.unidentified import ensure_unidentified_subject
from security.context import current, note_person
from security.crypto.keyring import keyring
from security.crypto.models import SubjectKey

logger = logging.getLogger("security.audit")

AGENT_KEY = "agent"
_BATCH = 500  # events an INSERT
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_NODE = os.uname().nodename[:64]


class AuditOutsideTransaction(RuntimeError):  # noqa: N818 - named for what happened
    """record() was called outside a transaction: act and event could be separated by a crash."""


def record(
    action: Action,
    *,
    actor: SubjectKey | None = None,
    target: SubjectKey | None = None,
    company: SubjectKey | None = None,
    outcome: Outcome | None = None,
    session_id: UUID | str | None = None,
    data: Mapping[str, Any] | None = None,
    pii: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Write one event into the transaction that is open, and announce it when that commits.

    `outcome` defaults to the action's own. `data` goes into the leaf in clear and for ever: ids, counts,
    names of fields, never a personal value. `pii` maps field names to personal values: the leaf holds a
    commitment, the value is encrypted under the key of the actor, else of the target, else of the month's
    unidentified subject. The client's address (as pii "address") and its program's family (as data "agent")
    are added here.

    Costs one INSERT, and one more for each personal value, of which the first shares the event's round trip on
    PostgreSQL; the first unidentified event of a month in a process adds a read. Raises AuditOutsideTransaction,
    LeafRefused, ValueError for a reserved name, and django.db.DatabaseError, on which the caller's act must fail too.
    """
    connection = transaction.get_connection()
    if not connection.in_atomic_block:
        raise AuditOutsideTransaction(f"{action.type} must be recorded inside the transaction of its act")
    context = current()
    note_person(_pseudonym(actor), _pseudonym(company))
    now = timezone.now()
    event_id = _new_id(now)
    address = context.client.address
    openings = _openings(pii or {}, address=address)
    leaf = Leaf(
        id=event_id,
        occurred_at=now,
        audit_class=action.audit_class.value,
        type=action.type,
        outcome=(outcome or action.outcome).value,
        actor=_pseudonym(actor),
        target=_pseudonym(target),
        company=_pseudonym(company),
        session_id=None if session_id is None else str(session_id),
        request_id=context.request_id,
        node=_NODE,
        data=_data(data or {}, user_agent=context.client.user_agent),
        pii={name: commitment(name=name, value=value, salt=salt) for name, (salt, value) in openings.items()},
    )
    event = _event(leaf)
    if address:
        index_address(event, address)
    subject = _holder(actor, target, at=now) if openings else None
    event.save(pii=_sealed(event, openings, subject=subject) if subject else ())
    connection.on_commit(partial(_announce, event), robust=True)
    return event


def record_refusal(action: Action, **fields: Any) -> AuditEvent:
    """record() in a transaction of its own, committed before the refusal is answered.

    Takes record()'s arguments. Raises RuntimeError inside a wider transaction, whose roll-back would take the
    mark of the refusal with it.
    """
    try:
        with transaction.atomic(durable=True):
            event = record(action, **fields)
    except Error:
        windows.reopen()
        raise
    windows.settle()
    return event


def on_behalf(
    action: Action, *, by: AuditEvent | None, target: UUID | None, company: UUID | None, data: Mapping[str, Any]
) -> AuditEvent:
    """An event, not stored yet, about what was done within `by`: of its class, actor, session and request.

    None for `by` leaves these out. Raises LeafRefused.
    """
    told = by.parsed_leaf() if by else None  # no mark covers its columns
    now = timezone.now()
    return _event(
        Leaf(
            id=_new_id(now),
            occurred_at=now,
            audit_class=told.audit_class if told else action.audit_class.value,
            type=action.type,
            outcome=action.outcome.value,
            actor=told.actor if told else None,
            target=target,
            company=told.company if told else company,
            session_id=told.session_id if told else None,
            request_id=told.request_id if told else "",
            node=_NODE,
            data=data,
        )
    )


def store_all(events: Sequence[AuditEvent]) -> None:
    """Write events made by `on_behalf` into the transaction that is open, and announce them when that commits."""
    AuditEvent.objects.bulk_create(events, batch_size=_BATCH)
    for event in events:
        transaction.on_commit(partial(_announce, event), robust=True)


def _new_id(at: datetime) -> UUID:
    """A UUIDv7 of this very moment (RFC 9562 §5.7): `search.py` finds times by ids."""
    return UUID(int=uuid7(nanoseconds=(at - _EPOCH) // _MICROSECOND * 1000).int)


def _pseudonym(subject: SubjectKey | None) -> UUID | None:
    return None if subject is None else subject.pk


def _openings(pii: Mapping[str, Any], *, address: str) -> dict[str, tuple[bytes, Any]]:
    if ADDRESS_FIELD in pii:
        raise ValueError("the client's address is recorded from the request, not by the caller")
    values = {**pii, ADDRESS_FIELD: address} if address else pii
    return {name: (secrets.token_bytes(SALT_BYTES), value) for name, value in values.items()}


def _data(data: Mapping[str, Any], *, user_agent: str) -> Mapping[str, Any]:
    if AGENT_KEY in data:
        raise ValueError("the client's program is recorded from the request, not by the caller")
    family = agent_family(user_agent)
    return {**data, AGENT_KEY: family} if family else data


def _event(leaf: Leaf) -> AuditEvent:
    encoded = leaf.encode()
    digest = leaf_hash(encoded)
    key = keyring().active("audit_mac")
    return AuditEvent.of_columns(
        id=None,
        leaf=encoded,
        leaf_hash=digest,
        mac=window_mac(key=key.secret, digest=digest, node=leaf.node),
        mac_key=key.id,
        tree_index=None,
        event_id=leaf.id,
        type=leaf.type,
        audit_class=leaf.audit_class,
        outcome=leaf.outcome,
        occurred_at=leaf.occurred_at,
        actor=leaf.actor,
        target=leaf.target,
        company=leaf.company,
        session_id=leaf.session_id,
        request_id=leaf.request_id,
        address_index=None,
        address_key="",
        tx=None,
    )


def _holder(actor: SubjectKey | None, target: SubjectKey | None, *, at: datetime) -> SubjectKey:
    # An erased person has no key left, and their erasure is itself an event: the next in line holds the
    # values.
    for subject in (actor, target):
        if subject is not None and subject.destroyed_at is None:
            return subject
    return ensure_unidentified_subject(at=at)


def _sealed(event: AuditEvent, openings: dict[str, tuple[bytes, Any]], *, subject: SubjectKey) -> list[AuditPii]:
    rows = []
    for name, (salt, value) in openings.items():
        cell = seal_value(event_id=event.event_id, field=name, salt=salt, value=value, subject=subject)
        rows.append(AuditPii(field=name, subject=subject.pk, ciphertext=cell))
    return rows


def _announce(event: AuditEvent) -> None:
    # A second copy outside the database: it shows an event deleted before the tree sealed it.
    if logger.isEnabledFor(logging.INFO):
        # Not logger.info(): it walks the stack to name the caller, and here there is one.
        told = {
            "type": event.type,
            "outcome": str(event.outcome),
            "event_id": str(event.event_id),
            "leaf_hash": bytes(event.leaf_hash).hex(),
        }
        logger.handle(logger.makeRecord(logger.name, logging.INFO, "", 0, "audit_event", (), None, extra=told))
    event_recorded.send_robust(sender=AuditEvent, event=event)
