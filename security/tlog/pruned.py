"""Which events retention took out of the database: what the tree says of it, and whether its hashes agree.

An event `audit.pruned` commits to each place that was taken out and to the hash that stays there. The rows of
`audit_pruned` say which places those are, and are believed only where they lead to the digest in that event.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Self
from uuid import UUID

from django.utils import timezone

from security.audit import CLOCKS, Action, AuditClass, AuditEvent, LeafRefused
from security.audit.leaf import Leaf, leaf_hash
from security.tlog.findings import Kind, Report
from security.tlog.models import AuditPruned, AuditTile
from security.tlog.tiles import WIDTH
from security.tlog.tree import HASH_BYTES

_TILES = 64  # read at once: 512 kB of hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What one `audit.pruned` says. `index` is its own place, None until it is sealed; `until` itself was kept.

    `digest` is the hex SHA-256 over each place it took out, in order: 8 bytes of index, big-endian, and its leaf's
    hash. `archive` is that of the file.
    """

    index: int | None
    event_id: UUID
    leaf: bytes
    at: datetime
    plan: UUID
    audit_class: AuditClass
    until: datetime
    count: int
    first: int
    last: int
    digest: str
    archive: str

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        """Read from the event's leaf. Raises LeafRefused."""
        leaf = event.parsed_leaf()
        try:
            told = {"event_id": leaf.id, "leaf": bytes(event.leaf), "at": leaf.occurred_at, **_told(leaf)}
            return cls(index=event.tree_index, **told)
        except (KeyError, TypeError, ValueError) as wrong:
            raise LeafRefused("no pruning of ours") from wrong

    def __str__(self) -> str:
        return f"{self.audit_class} before {self.until:%Y-%m-%d}"

    def tiles(self) -> Iterator[tuple[int, list[int]]]:
        """(tile, indexes that were taken out of it) of each tile concerned, in order, as `audit_pruned` has them."""
        rows = AuditPruned.objects.filter(plan=self.plan, audit_class=self.audit_class).order_by("tile")
        for row in rows.iterator(chunk_size=500):
            yield row.tile, places_of(row)


def _told(leaf: Leaf) -> dict[str, Any]:
    data = leaf.data
    return {
        "plan": UUID(data["plan"]),
        "audit_class": AuditClass(data["class"]),
        "until": datetime.fromisoformat(data["until"]),
        **{name: int(data[name]) for name in ("count", "first", "last")},
        **{name: str(data[name]) for name in ("digest", "archive")},
    }


class Digest:
    """Of the places that a pruning takes out, in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count, self.first, self.last = 0, -1, -1

    def add(self, index: int, digest: bytes) -> None:
        """The leaf of `index` has the hash `digest`. ValueError where it does not come after those before."""
        if index <= self.last:
            raise ValueError(f"{index} comes after {self.last}")
        self._hash.update(index.to_bytes(8, "big") + digest)
        self.first = self.first if self.count else index
        self.count, self.last = self.count + 1, index

    def hex(self) -> str:
        """Of all that were added."""
        return self._hash.hexdigest()

    def is_of(self, pruning: Pruning) -> bool:
        """Whether `pruning` says the same."""
        is_same = hmac.compare_digest(self.hex(), pruning.digest)
        return is_same and (self.count, self.first, self.last) == (pruning.count, pruning.first, pruning.last)


def prunings(*, end: int | None = None) -> Iterator[Pruning]:
    """All that can be read of those that the log tells of, in order; with `end` those with a place below it."""
    events = AuditEvent.objects.filter(type=Action.AUDIT_PRUNED.type).order_by("id")
    for event in events if end is None else events.filter(tree_index__lt=end):
        try:
            yield Pruning.of(event)
        except LeafRefused:
            continue  # a verification says so


def is_agreed(pruning: Pruning) -> bool:
    """Whether the rows of `audit_pruned` and the tree's hashes lead to the digest of `pruning`."""
    digest, remaining = Digest(), pruning.tiles()
    while tiles := list(islice(remaining, _TILES)):
        stored = AuditTile.objects.filter(level=0, index__in=[tile for tile, _ in tiles])
        hashes = {tile.index: bytes(tile.hashes) for tile in stored}
        for _, places in tiles:
            for index in places:
                try:
                    digest.add(index, _hash_at(hashes, index))
                except (ValueError, OverflowError):  # a place that no tree has
                    return False
    return digest.is_of(pruning)


class Covered:
    """The places whose events may be missing: those of prunings that hold, checked when this is made."""

    def __init__(self, report: Report, *, end: int) -> None:
        events = AuditEvent.objects.filter(type=Action.AUDIT_PRUNED.type, tree_index__lt=end).order_by("tree_index")
        self._holding: set[tuple[UUID, str]] = set()
        for event in events:
            if wrong := self._what_is_wrong(event):
                report.fault(Kind.PRUNED, f"pruning {event.event_id} {wrong[1]}", index=wrong[0])

    def _what_is_wrong(self, event: AuditEvent) -> tuple[int | None, str] | None:
        """Place and sentence; None where nothing is, and what it says is kept."""
        index = event.tree_index or 0
        if not hmac.compare_digest(leaf_hash(bytes(event.leaf)), leaf_hashes(index, index + 1)[0]):
            return index, "is not the event that the tree has there"
        try:
            pruning = Pruning.of(event)
        except LeafRefused:
            return index, "does not say what it took out"
        if pruning.until > pruning.at - timedelta(days=pruning.audit_class.retention_days):
            return index, f"took out events that must be kept: {pruning}"
        if pruning.last >= index or not is_agreed(pruning):
            return pruning.first, "took out other events than the database says"
        self._holding.add((pruning.plan, pruning.audit_class))
        return None

    def places(self, first: int, end: int) -> set[int]:
        """Of the places from `first` up to `end`, those whose event may be missing."""
        rows = AuditPruned.objects.filter(tile__gte=first // WIDTH, tile__lt=-(-end // WIDTH))
        return {at for row in rows if (row.plan, row.audit_class) in self._holding for at in places_of(row)}


def leaf_hashes(first: int, end: int) -> list[bytes]:
    """Hashes that the tree has from place `first` up to `end`; b"" where a tile lacks one."""
    tiles = range(first // WIDTH, -(-end // WIDTH))
    stored = {tile.index: bytes(tile.hashes) for tile in AuditTile.objects.filter(level=0, index__in=tiles)}
    return [_hash_at(stored, index) for index in range(first, end)]


def _hash_at(tiles: Mapping[int, bytes], index: int) -> bytes:
    at = index % WIDTH * HASH_BYTES
    return tiles.get(index // WIDTH, b"")[at : at + HASH_BYTES]


def pruned_in(tile: int) -> set[int]:
    """Indexes of a tile whose events prunings say they took out."""
    return {index for row in AuditPruned.objects.filter(tile=tile) for index in places_of(row)}


def note_taken(pruning: Pruning, tiles: list[int]) -> None:
    """Have `was_taken` know that rows of these tiles go in this transaction. Needs `maintenance`."""
    rows = AuditPruned.objects.filter(plan=pruning.plan, audit_class=pruning.audit_class, tile__in=tiles)
    rows.update(taken_at=timezone.now())


def was_taken(*, since: datetime, after: datetime) -> bool:
    """Whether an event of `since` or later may have been taken out of the database `after` that moment.

    Also one that lies before it by no more than clocks of hosts differ. `since` may be any moment of the calendar: the
    margin is put to what was pruned, which lies within it.
    """
    taken = set(AuditPruned.objects.filter(taken_at__gte=after).values_list("plan", "audit_class").distinct())
    return bool(taken) and any(
        since < one.until + CLOCKS and (one.plan, one.audit_class) in taken for one in prunings()
    )


def may_be_archived(moment: datetime) -> bool:
    """Whether an event of this time may have been taken out: all that is known of one that is not there."""
    return any(moment < pruning.until for pruning in prunings())


def places_of(row: AuditPruned) -> list[int]:
    """Indexes whose bits are set; the first bit is the tile's first place."""
    bits = int.from_bytes(bytes(row.places), "big")
    return [row.tile * WIDTH + at for at in range(WIDTH) if bits >> (WIDTH - 1 - at) & 1]


def as_bits(indexes: Iterable[int]) -> bytes:
    """The 32 bytes of `AuditPruned.places` for indexes of one tile."""
    bits = 0
    for index in indexes:
        bits |= 1 << (WIDTH - 1 - index % WIDTH)
    return bits.to_bytes(WIDTH // 8, "big")
