"""Brings rows under the active key, in batches of their own transactions: online, and resumed by running it again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from security.audit import AuditEvent, reindex_addresses
from security.crypto import DecryptionFailed, KeyDestroyed, SubjectKey, UnknownKey, indexed_columns, keyring
from security.crypto.blind_index import IndexedColumn


@dataclass(slots=True)
class Progress:
    """Rows looked at, rows brought under the active key, and ids of rows that could not be."""

    seen: int = 0
    changed: int = 0
    stuck: list[str] = field(default_factory=list)


def rewrap_subject_keys(*, batch: int, progress: Progress) -> Iterator[None]:
    """Wrap each living data key under the active KEK; yields after each committed batch of at most `batch` rows.

    Sealed values stay as they are: only what wraps their key changes. A reader sees the old wrapping or the new one,
    and the ring opens both.
    """
    others = [int(key.id) for key in keyring().all("kek") if key.state != "active"]

    def rewrap(rows: list[Any]) -> None:
        ready = [row for row in rows if _can(row.rewrap, row, progress)]
        _store(ready)
        progress.changed += len(ready)

    wanted = SubjectKey.objects.filter(kek_version__in=others, wrapped__isnull=False)
    yield from _in_batches(wanted, rewrap, size=batch, progress=progress)


def _store(rows: list[SubjectKey]) -> None:
    """Save the new wrappings. By one statement that is run for all: bulk_update's grows with the square of the rows."""
    key = SubjectKey._meta.pk
    values: list[tuple[Any, ...]] = [
        (row.wrapped, row.kek_version, key.get_db_prep_value(row.pk, connection, prepared=True)) for row in rows
    ]
    if values:
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE subject_key SET wrapped = %s, kek_version = %s WHERE id = %s", values)


def reindex_columns(*, batch: int, progress: Progress) -> Iterator[None]:
    """Put each blind index under the active key, those of clients' addresses in the audit log last; yields after each
    committed batch of at most `batch` rows.
    """
    for column in indexed_columns():

        def reindex(rows: list[Any], column: IndexedColumn = column) -> None:
            for row in rows:
                _reindex(row, column, progress)

        rows_with_one = column.model._default_manager.exclude(**{f"{column.index}__isnull": True})
        yield from _in_batches(rows_with_one, reindex, size=batch, progress=progress)

    def follow(events: list[AuditEvent]) -> None:
        done = reindex_addresses(events)
        progress.changed += done.changed
        progress.stuck += done.stuck

    behind = AuditEvent.objects.indexed_under_others(keyring().active("index").id).only("event_id")
    yield from _in_batches(behind, follow, size=batch, progress=progress)


def _reindex(row: Model, column: IndexedColumn, progress: Progress) -> None:
    made: dict[str, bytes] = {}
    if not _can(lambda: made.update(column.indexes_of(getattr(row, column.text))), row, progress):
        return
    wanted = made[keyring().active("index").id]
    if bytes(getattr(row, column.index)) == wanted:
        return
    try:
        with transaction.atomic():
            column.model._default_manager.filter(pk=row.pk).update(**{column.index: wanted})
        progress.changed += 1
    except IntegrityError:
        # Two hosts took the same value at once under two keys. Which row is the true one, a person must say.
        progress.stuck.append(_named(row))


def _in_batches(wanted: Any, act: Callable[[list[Any]], None], *, size: int, progress: Progress) -> Iterator[None]:
    """`act` on locked rows of `wanted` in order of their keys; yields when a batch is committed.

    The lock is what keeps an erased key erased: a row read here and destroyed meanwhile would come back.
    """
    last = None
    while True:
        with transaction.atomic(durable=True):
            left = wanted if last is None else wanted.filter(pk__gt=last)
            rows = list(left.select_for_update(of=("self",), no_key=True).order_by("pk")[:size])
            if rows:
                act(rows)
        if not rows:
            return
        last = rows[-1].pk
        progress.seen += len(rows)
        yield


def _named(row: Any) -> str:
    # The pseudonym, by which the admin and our commands find whose row it is.
    return str(getattr(row, "subject_id", row.pk))


def _can(act: Callable[[], Any], row: Model, progress: Progress) -> bool:
    try:
        act()
    except KeyDestroyed:
        return False
    except (DecryptionFailed, UnknownKey):
        progress.stuck.append(_named(row))
        return False
    return True
