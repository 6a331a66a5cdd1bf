"""Makes events of the changes that the database noted: of each transaction, what it changed, and who told of it.

A transaction in which we recorded an event is told of on behalf of that event's actor. One without came past our
services: it has no actor, and says so.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from itertools import chain
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models, transaction

from security.audit import Action, AuditEvent
from security.audit.leaf import MAX_LEAF_BYTES, canonical, timestamp
from security.audit.services import on_behalf, store_all
from security.trail.audited import Audited, audited, companies_of
from security.trail.maintenance import maintenance
from security.trail.models import AuditChange

logger = logging.getLogger("security.trail")

_LONGEST_TEXT = 200  # a column of SQLite keeps no length, and a leaf must not become too long for the log
_ROOM = MAX_LEAF_BYTES - 2048  # the rest is who and when
_MOST_TOLD = 20  # events of one transaction that are named


def tell_changes(*, limit: int, check: Callable[[AuditEvent], None]) -> int:
    """Record the oldest changes that wait, at most `limit`, and forget them; how many. Needs an open transaction.

    `check` raises for an event that is none of ours: what it says of who did something would get our mark.
    """
    rows = list(AuditChange.objects.order_by("id")[:limit])
    if not rows:
        return 0
    by_transaction: dict[str, list[AuditChange]] = {}
    for row in rows:
        by_transaction.setdefault(row.tx, []).append(row)
    tellers = _tellers(rows[-1].pk)
    for teller in chain.from_iterable(tellers.values()):
        check(teller)
    events = [one for tx, changes in by_transaction.items() for one in _events(tellers.get(tx, []), changes)]
    store_all(events)
    with maintenance():
        # By their ids: a smaller one may have been committed since they were read.
        AuditChange.objects.filter(pk__in=[row.pk for row in rows]).delete()
    untold = [row for tx, changes in by_transaction.items() if tx not in tellers for row in changes]
    if untold:
        told = {"rows": len(untold), "tables": sorted({row.table for row in untold})}
        transaction.on_commit(partial(logger.warning, "audit_records_out_of_band", extra=told))
    return len(rows)


def _tellers(last: int) -> dict[str, list[AuditEvent]]:
    """Transaction → our events of it, of those whose changes wait with an id up to `last`.

    Only events without a place: `assign_indexes` gives none while changes of the same transaction wait. A change that
    names the transaction of a sealed event was put there later, and is nobody's.
    """
    waiting = AuditChange.objects.filter(id__lte=last).values("tx")
    tellers: dict[str, list[AuditEvent]] = {}
    for event in AuditEvent.objects.filter(tx__in=waiting, tree_index=None).order_by("id"):
        tellers.setdefault(event.tx or "", []).append(event)
    return tellers


def _events(tellers: Sequence[AuditEvent], changes: Sequence[AuditChange]) -> Iterator[AuditEvent]:
    """As many events as the changes need room: one, unless they are many, or came past us and are of several companies.

    Its target is whom all of them are about, where that is one.
    """
    if tellers:
        about: dict[str, Any] = {"by": [str(event.event_id) for event in tellers[:_MOST_TOLD]]}
        action, by, of_companies = Action.RECORDS_CHANGED, tellers[0], {tellers[0].company: changes}
    else:
        first = changes[0]
        about = {"at": timestamp(first.at), "role": _plain(first.db_role), "client": _plain(first.db_client)}
        about = {name: value for name, value in about.items() if value}
        action, by, of_companies = Action.RECORD_OUT_OF_BAND, None, _by_company(changes)
    for company, rows in of_companies.items():
        subjects = {_subject(row) for row in rows}
        target = subjects.pop() if len(subjects) == 1 else None
        for part in _parts(_change(row) for row in rows):
            yield on_behalf(action, by=by, target=target, company=company, data={**about, "changes": part})


def _by_company(changes: Sequence[AuditChange]) -> dict[UUID | None, Sequence[AuditChange]]:
    """Changes by the company that each is about: whoever reads a company's trail reads of no other in it."""
    companies = companies_of({who for row in changes if (who := _subject(row))})
    found: dict[UUID | None, list[AuditChange]] = {}
    for row in changes:
        who = _subject(row)
        # What the row said before comes first: of whom was deleted, or moved to another company.
        company = _company_told(row) or (companies.get(who) if who else None)
        found.setdefault(company, []).append(row)
    return dict(found)


def _company_told(row: AuditChange) -> UUID | None:
    with suppress(AttributeError, KeyError, TypeError, ValueError):  # raw SQL writes what it likes
        return UUID((row.old_values or {})["company"])
    return None


def _subject(row: AuditChange) -> UUID | None:
    entry = _entry(row.table)
    return entry.subject_of(row.row, row.subject) if entry else None


def _parts(changes: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for change in changes:
        length = len(canonical(change)) + 1
        if part and size + length > _ROOM:
            yield part
            part, size = [], 0
        part.append(change)
        size += length
    yield part


def _change(row: AuditChange) -> dict[str, Any]:
    """What is told of one note. Never raises: raw SQL, and a trigger of somebody's own, write what they like."""
    change = {"table": _plain(row.table), "op": _plain(row.operation), "id": _plain(row.row)}
    change |= {"subject": str(row.subject)} if row.subject else {}
    try:
        told = change | _told(row)
        if len(canonical(told)) <= _ROOM:
            return told
    except (AttributeError, ValueError, TypeError):
        pass  # in no form of ours: no row may stop the seal
    return change | {"before": None, "after": None, "cut": True}


def _told(row: AuditChange) -> dict[str, Any]:
    before, after = (_values(row.table, values) for values in (row.old_values, row.new_values))
    if before is not None and after is not None:
        # As they were noted: what a field makes of junk may look like what was there.
        differing = [name for name in after if (row.old_values or {}).get(name) != (row.new_values or {})[name]]
        before = {name: before[name] for name in differing if name in before}
        after = {name: after[name] for name in differing}
    return {"id": _of_field(_row_field(row.table), row.row), "before": before, "after": after}


def _values(table: str, values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    fields = _fields(table)
    return {name: _of_field(fields.get(name), value) for name, value in values.items()}


@cache
def _fields(table: str) -> "Mapping[str, models.Field[Any, Any]]":
    """Column → field, of the columns whose values are told; and a field for each pseudonym."""
    entry = _entry(table)
    if entry is None:
        return {}
    told = {*entry.values, entry.row}
    columns = {field.column: field for field in entry.model._meta.concrete_fields if field.column in told}
    return columns | {column.removesuffix("_id"): models.UUIDField() for column in entry.people}


@cache
def _row_field(table: str) -> "models.Field[Any, Any] | None":
    entry = _entry(table)
    if entry is None:
        return None
    return next(field for field in entry.model._meta.concrete_fields if field.column == entry.row)


def _entry(table: str) -> Audited | None:
    """None for a table that was watched when the row was noted, and is not any more."""
    return next((entry for entry in audited() if entry.table == table), None)


def _of_field(field: "models.Field[Any, Any] | None", value: Any) -> Any:
    """`value` in the one form of both databases. Never raises: raw SQL may have written what the model refuses."""
    if field is not None and value not in (None, "") and not isinstance(value, float):
        with suppress(ValidationError, ValueError, TypeError):
            value = getattr(field, "target_field", field).to_python(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return timestamp(value if value.tzinfo else value.replace(tzinfo=UTC))  # SQLite keeps UTC without saying so
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
