"""Finds events, newest first by keyset: each search goes along one index and looks at so many rows and no more.

Opens no leaf and resolves no name. Rows are ordered by `id`, which the tree follows within each seal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, QuerySet

from security.audit.models import ADDRESS_FIELD, AuditEvent
from security.crypto.blind_index import blind_indexes

# Of the events that the leading index names, so many are compared with the other criteria before a page is answered.
MOST_LOOKED_AT = 20_000
CHUNK = 1_000
# Ids follow the clocks of the hosts, whose difference `audit_verify` finds beyond this.
_CLOCKS = timedelta(minutes=10)
# Which criterion's index is gone along, the one that mostly names the fewest first. Each has one with `id`.
_LEADING = ("request_id", "address_index__in", "target", "actor", "company", "type", "outcome", "audit_class")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; a criterion that is empty asks nothing. `until` itself is left out."""

    since: datetime | None = None
    until: datetime | None = None
    company: UUID | None = None
    actor: UUID | None = None
    target: UUID | None = None
    type: str = ""
    audit_class: str = ""
    outcome: str = ""
    request_id: str = ""
    address: str = ""  # in the canonical form of its family

    def terms(self) -> dict[str, Any]:
        """Lookups of the criteria that ask for equality."""
        asked = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("since", "until", "address")}
        terms = {name: value for name, value in asked.items() if value}
        if self.address:
            terms["address_index__in"] = blind_indexes(table="audit_event", column=ADDRESS_FIELD, value=self.address)
        return terms


@dataclass(frozen=True, slots=True)
class Found:
    """One page. `next` is the row id below which the search goes on, None at its end.

    `is_cut`: so many events were looked at that the page was answered before it was full.
    """

    events: list[AuditEvent] = field(default_factory=list)
    next: int | None = None
    is_cut: bool = False


def find(wanted: Wanted, *, size: int, before: int | None = None) -> Found:
    """The newest `size` events that are `wanted`, of those with a row id below `before`.

    One statement; one more for each end of a time, and one where two criteria or more are given.
    """
    rows = _between(wanted)
    if rows is None:
        return Found()
    if before is not None:
        rows = rows.filter(id__lt=before)
    terms = wanted.terms()
    leading = next((name for name in _LEADING if name in terms), None)
    floor = None
    if len(terms) > 1 and leading is not None:
        along = rows.filter(**{leading: terms[leading]}).order_by("-id").values_list("id", flat=True)
        # An offset that does not grow with the page: where to stop, read from the index alone.
        floor = along[MOST_LOOKED_AT : MOST_LOOKED_AT + 1].first()
    matching = rows.filter(**terms) if floor is None else rows.filter(id__gt=floor, **terms)
    events = list(matching.order_by("-id").defer("leaf", "leaf_hash", "mac")[: size + 1])
    if len(events) > size:
        return Found(events[:size], next=events[size - 1].pk)
    return Found(events, next=None if floor is None else floor + 1, is_cut=floor is not None)


def walk(wanted: Wanted, *, end: int | None = None) -> Iterator[AuditEvent]:
    """All that is `wanted`, whole and oldest first, read in chunks; with `end` only what has a place below it."""
    rows = _between(wanted, is_exact=False)
    if rows is None:
        return
    rows = rows.filter(**wanted.terms()).order_by("id")
    last = 0
    while chunk := list(rows.filter(id__gt=last)[:CHUNK]):
        # Asked here: SQLite would go along the index of a time or a place, and sort all of it for each chunk.
        yield from (event for event in chunk if _is_within(event, wanted, end))
        last = chunk[-1].pk


def _is_within(event: AuditEvent, wanted: Wanted, end: int | None) -> bool:
    is_late = wanted.since is None or event.occurred_at >= wanted.since
    is_early = wanted.until is None or event.occurred_at < wanted.until
    is_placed = end is None or (event.tree_index is not None and event.tree_index < end)
    return is_late and is_early and is_placed


def places(wanted: Wanted, *, end: int) -> tuple[int, int]:
    """The first place in the tree of what is `wanted` and placed below `end`, and the one after the last.

    (0, 0) where there is none.
    """
    rows = _between(wanted)
    if rows is None:
        return 0, 0
    placed = rows.filter(**wanted.terms(), tree_index__lt=end).aggregate(
        first=Min("tree_index"), last=Max("tree_index")
    )
    return (0, 0) if placed["first"] is None else (placed["first"], placed["last"] + 1)


def _between(wanted: Wanted, *, is_exact: bool = True) -> QuerySet[AuditEvent] | None:
    """The events of the time that is wanted; None where there are none so late.

    Times become row ids first: an index of each criterion has the id beside it and no time, and would otherwise be gone
    along through all the years since. Without `is_exact` the ids alone bound them: too wide by what clocks differ.
    """
    rows: QuerySet[AuditEvent] = AuditEvent.objects.all()
    if wanted.since is not None:
        first = _first_id(wanted.since, less=_CLOCKS)
        if first is None:
            return None
        rows = rows.filter(id__gte=first)
        rows = rows.filter(occurred_at__gte=wanted.since) if is_exact else rows
    if wanted.until is not None:
        beyond = _first_id(wanted.until, less=-_CLOCKS)
        rows = rows.filter(occurred_at__lt=wanted.until) if is_exact else rows
        rows = rows if beyond is None else rows.filter(id__lt=beyond)
    return rows


def _first_id(moment: datetime, *, less: timedelta) -> int | None:
    try:
        from_then = AuditEvent.objects.filter(occurred_at__gte=moment - less)
    except OverflowError:  # the first or the last minutes of the calendar
        from_then = AuditEvent.objects.filter(occurred_at__gte=moment)
    return from_then.order_by("occurred_at").values_list("id", flat=True).first()
