"""The searchable address beside an event: made, and brought under a new index key. It is no part of the leaf."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from security.audit.disclosure import opened
from security.audit.models import ADDRESS_FIELD, AuditEvent, AuditPii
from security.crypto.aead import DecryptionFailed
from security.crypto.blind_index import active_index, blind_indexes
from security.crypto.keyring import UnknownKey
from security.crypto.models import KeyDestroyed, SubjectKey


@dataclass(slots=True)
class Reindexed:
    """How many events were brought under the active index key, and the ids of those whose address does not open."""

    changed: int = 0
    stuck: list[str] = field(default_factory=list)


def address_indexes(address: str) -> list[bytes]:
    """What an event may be found by whose client had `address`: under each index key of the ring."""
    return blind_indexes(table="audit_event", column=ADDRESS_FIELD, value=address)


def index_address(event: AuditEvent, address: str) -> None:
    """Have `event` found by the address of its client. The caller saves."""
    event.address_key, event.address_index = active_index(table="audit_event", column=ADDRESS_FIELD, value=address)


def reindex_addresses(events: Iterable[AuditEvent]) -> Reindexed:
    """Put the searchable addresses of `events` under the active index key, each made anew from the sealed value.

    The caller holds the rows' locks. What has no value any more is forgotten: its person was erased.
    """
    done = Reindexed()
    by_pk = {event.pk: event for event in events}
    values = {row.event_id: row for row in AuditPii.objects.filter(event__in=list(by_pk), field=ADDRESS_FIELD)}
    subjects = SubjectKey.objects.in_bulk({row.subject for row in values.values()})
    ready, gone = [], []
    for pk, event in by_pk.items():
        try:
            row = values[pk]
            index_address(event, opened(row, event_id=event.event_id, subject=subjects[row.subject]))
        except (KeyError, KeyDestroyed):
            gone.append(pk)
        except (DecryptionFailed, UnknownKey):
            done.stuck.append(f"event {event.event_id}")
        else:
            ready.append(event)
    _store(ready)
    done.changed = len(ready) + AuditEvent.objects.filter(pk__in=gone).forget_addresses()
    return done


def _store(events: list[AuditEvent]) -> None:
    """By one statement that is run for all: bulk_update's grows with the square of the rows."""
    values: list[tuple[Any, ...]] = [(event.address_index, event.address_key, event.pk) for event in events]
    if values:
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE audit_event SET address_index = %s, address_key = %s WHERE id = %s", values)
