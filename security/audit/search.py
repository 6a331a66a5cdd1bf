"""Finds events, newest first by keyset: each search goes along one index and looks at so many rows and no more.

Opens no leaf and resolves no name. Rows are ordered by `id`, which the tree follows within each seal.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max, Min, QuerySet

from security.audit.addresses import address_indexes
from security.audit.models import AuditEvent
from security.statements import planned_for_its_values

# Of the events that the leading index names, so many are compared with the other criteria before a page is answered:
# first a few, which is enough for most pages.
FEW_LOOKED_AT = 300
MOST_LOOKED_AT = 5_000
CHUNK = 1_000
# Ids follow the clocks of the hosts, whose difference `audit_verify` finds beyond this.
CLOCKS = timedelta(minutes=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    event_id: UUID | None = None
    address: str = ""  # in the canonical form of its family

    def terms(self) -> dict[str, Any]:
        """Lookups of the criteria that ask for equality."""
        asked = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("since", "until", "address")}
        terms = {name: value for name, value in asked.items() if value}
        if self.address:
            terms["address_index__in"] = address_indexes(self.address)
        return terms


@dataclass(frozen=True, slots=True)
class Found:
    """One page. `next` is the row id below which the search goes on, None at its end.

    `is_cut`: so many events were looked at that the page was answered before it was full. `about` is how many there are
    in all, None where that was not asked, where this page has them all, and where nobody knows.
    """

    events: list[AuditEvent] = field(default_factory=list)
    next: int | None = None
    is_cut: bool = False
    about: int | None = None


def find(wanted: Wanted, *, size: int, before: int | None = None, is_estimating: bool = False) -> Found:
    """The newest `size` events that are `wanted`, of those with a row id below `before`; and about how many there are.

    One statement; one more for each end of a time. Where two criteria or more are given, one for each, and at most
    three. One more for the estimate.
    """
    with planned_for_its_values():
        rows, terms = _between(wanted), wanted.terms()
        asked = _to_the_second(rows, wanted)
        found = _page(asked if before is None else asked.filter(id__lt=before), terms, size=size)
        if is_estimating and found.next is not None:
            found = replace(found, about=_estimated(rows.filter(**terms)))
    return found


def _estimated(rows: QuerySet[AuditEvent]) -> int | None:
    """As PostgreSQL's statistics have it; None on SQLite, which keeps none.

    Nothing is counted: the statement is planned and not run.
    """
    if connection.vendor != "postgresql":
        return None
    plan = rows.order_by().values("id").explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def walk(wanted: Wanted, *, end: int | None = None) -> Iterator[AuditEvent]:
    """All that is `wanted`, whole and oldest first, read in chunks; with `end` only what has a place below it."""
    rows = _between(wanted).filter(**wanted.terms()).order_by("id")
    chunk = _chunk(rows)
    while chunk:
        # Asked here: SQLite would go along the index of a time or a place, and sort all of it for each chunk.
        yield from (event for event in chunk if _is_within(event, wanted, end))
        chunk = _chunk(rows.filter(id__gt=chunk[-1].pk)) if len(chunk) == CHUNK else []


def _chunk(rows: QuerySet[AuditEvent]) -> list[AuditEvent]:
    with planned_for_its_values():
        return list(rows[:CHUNK])


def _is_within(event: AuditEvent, wanted: Wanted, end: int | None) -> bool:
    is_late = wanted.since is None or event.occurred_at >= wanted.since
    is_early = wanted.until is None or event.occurred_at < wanted.until
    return is_late and is_early and (end is None or event.is_among(end))


def places(wanted: Wanted, *, end: int) -> tuple[int, int]:
    """The first place in the tree of what is `wanted` and placed below `end`, and the one after the last.

    (0, 0) where there is none.
    """
    with planned_for_its_values():
        placed = (
            _to_the_second(_between(wanted), wanted)
            .filter(**wanted.terms(), tree_index__gte=0, tree_index__lt=end)
            .aggregate(first=Min("tree_index"), last=Max("tree_index"))
        )
    return (0, 0) if placed["first"] is None else (placed["first"], placed["last"] + 1)


def _page(rows: QuerySet[AuditEvent], terms: dict[str, Any], *, size: int) -> Found:
    matching, floor = rows.filter(**terms), None
    if len(terms) < 2:
        events = _newest(matching, size + 1)
    else:
        # A few of each criterion's events reach back to here; the index whose few reach the furthest is gone along.
        reach = {name: _beyond(rows.filter(**{name: asked}), FEW_LOOKED_AT) for name, asked in terms.items()}
        leading = min(reach, key=lambda name: reach[name] or 0)
        floor = reach[leading]
        events = _newest(matching.filter(id__gt=floor or 0), size + 1)
        if floor is not None and len(events) <= size:
            rest = rows.filter(id__lte=floor)
            floor = _beyond(rest.filter(**{leading: terms[leading]}), MOST_LOOKED_AT - FEW_LOOKED_AT)
            events += _newest(rest.filter(**terms, id__gt=floor or 0), size + 1 - len(events))
    if len(events) > size:
        return Found(events[:size], next=events[size - 1].pk)
    return Found(events, next=None if floor is None else floor + 1, is_cut=floor is not None)


def _between(wanted: Wanted) -> QuerySet[AuditEvent]:
    """The events of the time that is wanted, and of the minutes around it.

    Times become row ids first: an index of each criterion has the id beside it and no time, and would otherwise be gone
    along through all the years since. What is ten minutes older has a lower row id, what is ten minutes newer a higher
    one; an event within them proves nothing, not even at the log's beginning.
    """
    rows: QuerySet[AuditEvent] = AuditEvent.objects.all()
    if wanted.since is not None:
        older = AuditEvent.objects.filter(event_id__lt=least_id(wanted.since, margin=-CLOCKS)).order_by("-event_id")
        last = older.values_list("id", flat=True).first()
        rows = rows if last is None else rows.filter(id__gt=last)
    if wanted.until is not None:
        newer = AuditEvent.objects.filter(event_id__gte=least_id(wanted.until, margin=CLOCKS)).order_by("event_id")
        first = newer.values_list("id", flat=True).first()
        rows = rows if first is None else rows.filter(id__lt=first)
    return rows


def _to_the_second(rows: QuerySet[AuditEvent], wanted: Wanted) -> QuerySet[AuditEvent]:
    rows = rows if wanted.since is None else rows.filter(occurred_at__gte=wanted.since)
    return rows if wanted.until is None else rows.filter(occurred_at__lt=wanted.until)


def least_id(moment: datetime, *, margin: timedelta = timedelta(0)) -> UUID:
    """The least UUIDv7 of a moment: the id of an event begins with its time, and has an index, which times have not."""
    return UUID(int=max((moment - _EPOCH + margin) // timedelta(milliseconds=1), 0) << 80)


def _newest(rows: QuerySet[AuditEvent], number: int) -> list[AuditEvent]:
    return list(rows.order_by("-id").defer("leaf_hash", "mac")[:number])


def _beyond(rows: QuerySet[AuditEvent], number: int) -> int | None:
    """Row id of the first of them that is not among the newest `number`, read from the index alone."""
    return rows.order_by("-id").values_list("id", flat=True)[number : number + 1].first()
