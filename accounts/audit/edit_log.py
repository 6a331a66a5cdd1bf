"""The edit log of a financial year: each row that was changed, with the values before and after, and who changed it.

It is a reading of sealed events, `records.changed` and `record.out_of_band`; what proves them goes beside it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from typing import Any
from uuid import UUID

from accounts.audit.changes import as_text, changes_in
from accounts.audit.labels import Label, labels_of, pseudonyms_in, with_names
from accounts.audit.years import BEGINNING, CHANGED, CHUNK, FinancialYear, data_of, in_india, row
from accounts.identity.models import User
from security.audit import Action, AuditEvent, places, walk
from security.tlog import AuditCheckpoint

COLUMNS = (
    "index", "time", "action", "actor", "company", "request id", "table", "operation", "row", "column", "before",
    "after", "told by", "hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a pack is about: a year under a checkpoint; of one `company`, by pseudonym, or of all."""

    year: FinancialYear
    checkpoint: AuditCheckpoint
    company: UUID | None = None

    def walk(self, **criteria: Any) -> Iterator[AuditEvent]:
        """Sealed events of the year, of every company, the oldest first."""
        return walk(replace(self.year.wanted(), **criteria), end=self.checkpoint.size)


def edits(scope: Scope) -> Iterator[AuditEvent]:
    """The events of the edit log, the oldest first.

    A company's are those of its own acts, and what was written past our services to it or its people, who are those
    of today: older events of that kind have no company.
    """
    named = {"company": scope.company} if scope.company else {}
    ours = scope.walk(type=Action.RECORDS_CHANGED.type, **named)
    return merge(ours, outside(scope), key=lambda event: event.pk)


def outside(scope: Scope) -> Iterator[AuditEvent]:
    """Events of what was written past our services, of those that `scope` is about."""
    whose = subjects_of(scope.company)
    for event in scope.walk(type=Action.RECORD_OUT_OF_BAND.type):
        if not whose or whose & pseudonyms_in(data_of(event)):
            yield event


def subjects_of(company: UUID | None) -> set[UUID]:
    """Pseudonyms of a company and its people; empty for None."""
    if company is None:
        return set()
    return {company, *User.objects.filter(company__subject=company).values_list("subject_id", flat=True)}


def in_bundle(scope: Scope) -> dict[str, Any]:
    """Which events go into the bundle, as arguments of `stream_bundle`.

    Of a year all between its first and its last, so that none that is left out goes unseen; of a company its own, with
    the heartbeats.
    """
    first, end = places(scope.year.wanted(), end=scope.checkpoint.size)
    if scope.company is None:
        return {"first": first, "end": end}
    told = {event.pk for event in outside(scope)}

    def is_ours(event: AuditEvent) -> bool:
        is_of_year = scope.year.since <= event.occurred_at < scope.year.until
        is_beat = event.type == Action.AUDIT_HEARTBEAT.type
        return is_of_year and (event.company == scope.company or is_beat or event.pk in told)

    return {"first": first, "end": end, "only": is_ours}


def csv_edits(scope: Scope) -> Iterator[bytes]:
    """A line for each column that was changed, with names as they are now."""
    yield BEGINNING + row(COLUMNS)
    events, whose = edits(scope), subjects_of(scope.company)
    while chunk := list(islice(events, CHUNK)):
        told = [_about(event, data_of(event), whose) for event in chunk]
        named = {who for event in chunk for who in (event.actor, event.company)}
        labels = labels_of(named.union(*map(pseudonyms_in, told)))
        yield b"".join(line for event, data in zip(chunk, told, strict=True) for line in _lines(event, data, labels))


def _about(event: AuditEvent, data: Any, whose: set[UUID]) -> Any:
    """`data` without rows of companies that are not asked for, which one statement may have changed too."""
    changes = data.get("changes") if isinstance(data, dict) else None
    if not whose or event.company is not None or not isinstance(changes, list):
        return data
    return {**data, "changes": [one for one in changes if whose & pseudonyms_in(one)]}


def _lines(event: AuditEvent, told: Any, labels: Mapping[UUID, Label]) -> Iterator[bytes]:
    data = with_names(told, labels)
    head = (
        str(event.tree_index),
        in_india(event.occurred_at),
        event.type,
        labels[event.actor].text if event.actor else "",
        labels[event.company].text if event.company else "",
        event.request_id,
    )
    changes = changes_in(data.get("changes")) if isinstance(data, dict) else None
    digest = bytes(event.leaf_hash).hex()
    if changes is None:
        yield row((*head, CHANGED, "", "", "", "", "", "", digest))
        return
    tellers = " ".join(map(as_text, data.get("by") or [])) or f"role {data.get('role', '')}, {data.get('client', '')}"
    for change in changes:
        # A table that was emptied whole has no row and no column to tell of.
        for column, before, after in change.columns or [("", "", "")]:
            yield row((*head, change.table, change.op, change.id, column, before, after, tellers, digest))
