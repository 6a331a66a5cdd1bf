"""The personal values behind an event's commitments: sealed, opened, erased. The leaf holds none of them."""

import json
from typing import Any
from uuid import UUID

from django.db import transaction

from security.audit.leaf import SALT_BYTES, canonical, is_opened_by
from security.audit.models import AuditEvent, AuditPii
from security.crypto.aead import DecryptionFailed, open_sealed, seal
from security.crypto.models import KeyDestroyed, SubjectKey


def _aad(*, event_id: UUID | str, field: str, subject_id: UUID) -> bytes:
    # Binds the cell to its event, field and person: a ciphertext moved to another row does not open.
    return f"koshflow|audit_pii|{field}|{event_id}|{subject_id}|v1".encode()


def seal_value(*, event_id: UUID, field: str, salt: bytes, value: Any, subject: SubjectKey) -> bytes:
    """Salt and canonical value under `subject`'s data key. Raises KeyDestroyed for an erased person."""
    aad = _aad(event_id=event_id, field=field, subject_id=subject.pk)
    return seal(subject.cipher(), salt + canonical(value), aad=aad, kek_version=subject.kek_version)


def opened(row: AuditPii, *, event_id: UUID, subject: SubjectKey) -> Any:
    """Value of `row`, not yet proved against the leaf. Raises KeyDestroyed, UnknownKey, DecryptionFailed."""
    _, text = _opened(row.ciphertext, field=row.field, event_id=event_id, subject=subject)
    return json.loads(text)


def _opened(cell: bytes | memoryview, *, field: str, event_id: UUID | str, subject: SubjectKey) -> tuple[bytes, bytes]:
    aad = _aad(event_id=event_id, field=field, subject_id=subject.pk)
    text = open_sealed(subject.cipher(), bytes(cell), aad=aad)
    return text[:SALT_BYTES], text[SALT_BYTES:]


def disclosed_values(*, event: AuditEvent) -> dict[str, Any]:
    """Personal values of `event` that are not erased, each proved against the leaf's commitment.

    Raises DecryptionFailed when a stored value does not open, or is not the one the leaf commits to: someone
    changed the table.
    """
    commitments = event.parsed_leaf().pii
    rows = list(AuditPii.objects.filter(event=event))
    subjects = SubjectKey.objects.in_bulk({row.subject for row in rows})
    values: dict[str, Any] = {}
    for row in rows:
        subject, committed = subjects.get(row.subject), commitments.get(row.field, "")
        try:
            _, text = proved(
                row.ciphertext, field=row.field, event_id=event.event_id, subject=subject, committed=committed
            )
        except KeyDestroyed:
            continue  # erased: the value is gone, and that is all there is to say
        values[row.field] = json.loads(text)
    return values


def proved(
    cell: bytes | memoryview, *, field: str, event_id: UUID | str, subject: SubjectKey | None, committed: str
) -> tuple[bytes, bytes]:
    """Salt and canonical JSON of the value that is sealed in `cell`: the one that the leaf committed to.

    `subject` is whose key sealed it, None where there is none any more. Raises KeyDestroyed for an erased one, else as
    `disclosed_values`.
    """
    if subject is None:
        raise KeyDestroyed("the subject has no key")
    salt, text = _opened(cell, field=field, event_id=event_id, subject=subject)
    if not is_opened_by(committed, name=field, text=text, salt=salt):
        raise DecryptionFailed
    return salt, text


def erase_personal_values(*, subject: SubjectKey) -> int:
    """Delete every personal value held under `subject`'s key, and the searchable addresses beside them.

    Returns how many values went. Events, hashes and proofs stay valid. The caller destroys the key itself, in
    the same transaction, and records the erasure. May run twice.
    """
    with transaction.atomic():
        rows = AuditPii.objects.filter(subject=subject.pk)
        AuditEvent.objects.filter(pk__in=rows.values("event_id"), address_index__isnull=False).forget_addresses()
        return rows.delete()[0]
