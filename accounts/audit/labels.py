"""Whom the pseudonyms of audit events mean, looked up when they are read; an erased person no longer resolves."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.identity.models import Company, User
from accounts.identity.names import normalise_email
from security.crypto import SubjectKey

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Kind(StrEnum):
    """What a pseudonym belongs to."""

    PERSON = "person"
    COMPANY = "company"
    ERASED = "erased"
    NOBODY = "nobody"  # no row of ours knows it, which only a change of the database explains


@dataclass(frozen=True, slots=True)
class Label:
    """`text` is what a reader sees, `id` what a search for it takes: never a pseudonym beside a name.

    `company` is the id of the company that it belongs to; None for staff, and for who is no more.
    """

    kind: Kind
    text: str
    id: UUID
    subject: SubjectKey | None = None
    company: UUID | None = None


def labels_of(pseudonyms: Iterable[UUID | None]) -> dict[UUID, Label]:
    """The label of each. At most three statements, however many there are."""
    wanted = {pseudonym for pseudonym in pseudonyms if pseudonym is not None}
    if not wanted:
        return {}
    keys = SubjectKey.objects.in_bulk(wanted)
    people = User.objects.filter(subject__in=wanted).values_list("subject_id", "pk", "email", "company_id")
    labels = {
        subject: Label(Kind.PERSON, email, pk, keys.get(subject), company) for subject, pk, email, company in people
    }
    if wanted - labels.keys():
        companies = Company.objects.filter(subject__in=wanted - labels.keys()).values_list("subject_id", "pk", "name")
        labels |= {subject: Label(Kind.COMPANY, name, pk, keys.get(subject), pk) for subject, pk, name in companies}
    for pseudonym in wanted - labels.keys():
        key = keys.get(pseudonym)
        kind = Kind.NOBODY if key is None else Kind.ERASED
        labels[pseudonym] = Label(kind, "not known" if key is None else "erased", pseudonym, key)
    return labels


def operator_in(data: Any) -> str:
    """Which account of the machine gave the command that an event without an actor tells of; "" for none.

    `data` is the open part of the event.
    """
    named = data.get("operator") or data.get("account") if isinstance(data, dict) else None
    return named if isinstance(named, str) else ""


def pseudonyms_in(data: Any) -> set[UUID]:
    """Every UUID in the open part of an event; those of sessions and events are nobody to `labels_of`."""
    return {UUID(found) for found in _UUID.findall(json.dumps(data))}


def with_names(data: Any, labels: Mapping[UUID, Label]) -> Any:
    """`data` with names in place of the pseudonyms of people and companies."""

    def name(found: re.Match[str]) -> str:
        label = labels.get(UUID(found[0]))
        is_named = label is not None and label.kind in (Kind.PERSON, Kind.COMPANY)
        return json.dumps(label.text)[1:-1] if label is not None and is_named else found[0]

    return json.loads(_UUID.sub(name, json.dumps(data)))


def pseudonym_of(text: str) -> UUID | None:
    """The pseudonym of a person or company named by e-mail address or id, or the pseudonym itself; None for nobody."""
    try:
        named = UUID(text)
    except ValueError:
        email = normalise_email(text)
        if "\x00" in email:
            return None
        person = User.objects.filter(email=email).values_list("subject_id", flat=True).first()
        return person or Company.objects.filter(email=email).values_list("subject_id", flat=True).first()
    for model in (User, Company):
        found = model.objects.filter(Q(pk=named) | Q(subject=named)).values_list("subject_id", flat=True).first()
        if found is not None:
            return UUID(str(found))
    return named  # of somebody erased: their events are still found
