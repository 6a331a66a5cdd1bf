"""Reads and writes the tree's rows: who may extend it, which events come next, tiles and checkpoints."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from django.db import connection

from security.audit import AuditEvent
from security.selectors import PublicSelector
from security.statements import binary_cursor
from security.tlog.models import AuditCheckpoint, AuditTile
from security.tlog.tiles import TiledNodes

# Any constant that no other lock of this database uses: "koshflow audit log" has no number of its own.
_LOCK = 5_064_772_601
_HEARTBEAT_LOCK = _LOCK + 1
_HIGHEST_ID = 2**63 - 1
# Commit order does not matter: a late id gets a later index. One statement, because between two another event commits,
# with changes that its transaction noted and that are told of under its name: until they are, it waits.
_ASSIGN = """
UPDATE audit_event SET tree_index = next.tree_index
FROM (
    SELECT waiting.id, %s + row_number() OVER (ORDER BY waiting.id) - 1 AS tree_index
    FROM audit_event waiting LEFT JOIN audit_change untold ON untold.tx = waiting.tx
    WHERE waiting.tree_index IS NULL AND waiting.id BETWEEN %s AND %s AND untold.tx IS NULL
    ORDER BY waiting.id LIMIT %s
) AS next
WHERE audit_event.id = next.id
RETURNING audit_event.tree_index, event_id, leaf, leaf_hash, mac, mac_key
"""


class NotSealed(LookupError):  # noqa: N818 - named for what is missing
    """No signed checkpoint has it yet; sealing runs every ten seconds."""


class Pending(NamedTuple):
    """An event that has got its place in the tree, and is not signed yet."""

    place: int
    event_id: Any  # as the driver has it
    leaf: bytes
    leaf_hash: bytes
    mac: bytes
    mac_key: str


def hold_tree() -> bool:
    """Whether this transaction alone may extend the tree until it ends. Never waits on PostgreSQL.

    On SQLite a transaction is alone anyway.
    """
    return _hold(_LOCK)


def hold_heartbeat() -> bool:
    """Likewise, whether it alone may record a heartbeat: the tree may be busy with a long seal."""
    return _hold(_HEARTBEAT_LOCK)


def _hold(lock: int) -> bool:
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])


def assign_indexes(*, first: int, limit: int, only: int | None = None) -> list[Pending]:
    """Give the oldest events without a place the indexes from `first` on, at most `limit`; them in that order.

    Those of transactions whose changes are not told of yet go on waiting. `only` is the row id of the one event that
    may get a place.
    """
    lowest, highest = (-_HIGHEST_ID, _HIGHEST_ID) if only is None else (only, only)
    with binary_cursor() as cursor:
        cursor.execute(_ASSIGN, [first, lowest, highest, limit])
        return sorted(map(Pending._make, cursor.fetchall()))


def placed(first: int, end: int) -> Iterator[Pending]:
    """The events with places from `first` up to `end`, in order."""
    rows = AuditEvent.objects.filter(tree_index__gte=first, tree_index__lt=end).order_by("tree_index")
    for row in rows.only("tree_index", "event_id", "leaf", "leaf_hash", "mac", "mac_key").iterator(chunk_size=1000):
        hashed = bytes(row.leaf), bytes(row.leaf_hash), bytes(row.mac)
        yield Pending(row.tree_index or 0, row.event_id, *hashed, row.mac_key)


def misplaced(size: int) -> AuditEvent | None:
    """An event at a place that a tree of `size` does not have."""
    beyond = AuditEvent.objects.filter(tree_index__gte=size).order_by("tree_index")
    return beyond.first() or AuditEvent.objects.filter(tree_index__lt=0).order_by("-tree_index").first()


def load_tile(level: int, index: int) -> bytes:
    """Hashes of one tile, empty where there is none."""
    stored = AuditTile.objects.filter(level=level, index=index).values_list("hashes", flat=True).first()
    return b"" if stored is None else bytes(stored)


def save_tiles(tiles: Iterable[tuple[tuple[int, int], bytes]]) -> None:
    """Store tiles, each in the place of its shorter self."""
    rows = [AuditTile(level=level, index=index, hashes=hashes) for (level, index), hashes in tiles]
    AuditTile.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["level", "index"], update_fields=["hashes"], batch_size=100
    )


def stored_nodes() -> TiledNodes:
    """The tree as the tiles have it."""
    return TiledNodes(load_tile)


def last_checkpoint() -> AuditCheckpoint | None:
    """The largest tree that was committed, signed or not."""
    return AuditCheckpoint.objects.select_related("log").order_by("-size").first()


def last_signed() -> AuditCheckpoint | None:
    """The largest tree that the log has signed."""
    return AuditCheckpoint.objects.select_related("log").exclude(note="").order_by("-size").first()


class SignedTree(TypedDict):
    """The largest tree that the log has signed: how many events, and the note, which proves itself."""

    size: int
    note: str


def _signed_tree() -> SignedTree | None:
    last = last_signed()
    return None if last is None else SignedTree(size=last.size, note=last.note)


def _is_signed_tree(value: Any) -> bool:
    if value is None:
        return True
    size, note = value["size"], value["note"]
    return type(size) is int and 0 <= size < 2**63 and isinstance(note, str) and len(value) == 2


# For pages that say how far the log is sealed, and for who polls the note. What proves or signs reads the row.
signed_tree = PublicSelector(
    "audit_signed", seconds=30, load=_signed_tree, is_answer=_is_signed_tree, models=[AuditCheckpoint]
)


def require_signed() -> AuditCheckpoint:
    """As `last_signed`; raises NotSealed where there is none."""
    last = last_signed()
    if last is None:
        raise NotSealed("nothing is signed yet; audit_seal seals what is recorded")
    return last


def oldest_waiting(most: int) -> list[int]:
    """Row ids of events that are not sealed, the oldest first; no more than `most` entries of an index are read."""
    return list(AuditEvent.objects.filter(tree_index=None).order_by("id").values_list("id", flat=True)[:most])


def oldest_pending() -> datetime | None:
    """When the oldest event that is not sealed was recorded; None where all are."""
    pending = AuditEvent.objects.filter(tree_index=None).order_by("id")
    return pending.values_list("occurred_at", flat=True).first()
