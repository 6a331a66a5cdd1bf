"""Walks once over the events in the order of the tree: each with itself, with its place, and with what was signed.

Reads in chunks, so that its memory does not grow with the log. Writes nothing.
"""

import hmac
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Subquery
from django.db.models.functions import Coalesce

from security.audit import AuditEvent
from security.audit.leaf import LeafRefused, leaf_hash, members_of, timestamp, window_mac
from security.crypto import UnknownKey, keyring
from security.tlog.findings import Kind, Report
from security.tlog.models import AuditCheckpoint
from security.tlog.note import NoteInvalid, VerifierKey, open_note
from security.tlog.openings import Openings
from security.tlog.pruned import Covered
from security.tlog.store import load_tile, stored_nodes
from security.tlog.tiles import FULL_BYTES, WIDTH, TileMissing
from security.tlog.tree import HASH_BYTES, CompactRange

CHUNK = 16 * WIDTH
# How much older than one before it an event may say it is: its transaction may have been open that long.
MOST_DISORDER = timedelta(minutes=10)
# Columns that copy a member of the leaf.
_COPIES = {
    "event_id": "id",
    "type": "type",
    "audit_class": "class",
    "outcome": "outcome",
    "occurred_at": "ts",
    "actor": "actor",
    "target": "target",
    "company": "company",
    "session_id": "sid",
    "request_id": "request_id",
}
READ = ("id", "tree_index", "leaf", "leaf_hash", "mac", "mac_key", *_COPIES)

Advance = Callable[[int], object]  # told how many events were looked at since the last call


class Walk:
    """One pass over the events in the order of the tree."""

    def __init__(self, report: Report, *, end: int, advance: Advance) -> None:
        self.report = report
        self.end = end
        self.advance = advance
        # A busy log has millions of checkpoints: they are taken one after the other.
        rows = AuditCheckpoint.objects.select_related("log").filter(size__gt=report.since, size__lte=end)
        self.checkpoints = rows.order_by("size").iterator(chunk_size=500)
        self.youngest: datetime | None = None
        self.openings = Openings(report)
        self.covered = Covered(report, end=end)
        self._last_good = 0

    def run(self) -> None:
        try:
            self.tree = CompactRange.of(stored_nodes(), self.report.since)
        except TileMissing as missing:
            self.report.fault(Kind.TILE, str(missing), index=missing.index * WIDTH if missing.level == 0 else None)
            return
        self._take_checkpoint()
        for first in range(self.report.since - self.report.since % WIDTH, self.end, CHUNK):
            self._chunk(first, min(first + CHUNK, self.end))
        # In one statement, since the log may be sealed meanwhile.
        last = AuditCheckpoint.objects.order_by("-size").values("size")[:1]
        beyond = AuditEvent.objects.filter(tree_index__gte=Coalesce(Subquery(last), 0)).order_by("tree_index").first()
        if beyond is not None:
            what = f"event {beyond.event_id} has a place that no checkpoint covers"
            self.report.fault(Kind.EXTRA, what, index=beyond.tree_index)

    def _chunk(self, first: int, end: int) -> None:
        hashes = b"".join(
            load_tile(0, tile).ljust(FULL_BYTES, b"\0") for tile in range(first // WIDTH, (end - 1) // WIDTH + 1)
        )
        rows = {row["tree_index"]: row for row in _events(first, end)}
        covered = self.covered.places(first, end)
        committed: dict[int, tuple[int, UUID, dict[str, str]]] = {}
        for index in range(max(first, self.report.since), end):
            in_tree = hashes[(index - first) * HASH_BYTES : (index - first + 1) * HASH_BYTES]
            row = rows.get(index)
            if row is None and index in covered:
                self.report.pruned += 1
            elif row is None:
                self.report.fault(Kind.MISSING, "an event of the tree is not in the database", index=index)
            else:
                self.report.events += 1
                told = self._event(row, in_tree)
                if told is not None and told["pii"]:
                    committed[row["id"]] = index, row["event_id"], told["pii"]
            # With the tile's hash in a bad event's place, the roots tell whether it is the event or the tile.
            self.tree.append(in_tree)
            self._roots()
        self.openings.check(committed)
        self.advance(end - first)

    def _event(self, row: dict[str, Any], in_tree: bytes) -> dict[str, Any] | None:
        index, event_id = row["tree_index"], row["event_id"]
        told = check_row(self.report, row)
        if not hmac.compare_digest(row["leaf_hash"], in_tree):
            self.report.fault(Kind.EDITED, f"event {event_id} is not the one that the tree has here", index=index)
        if told is None:
            return None
        at = row["occurred_at"]
        if self.youngest is not None and at < self.youngest - MOST_DISORDER:
            what = f"event {event_id} says {at:%Y-%m-%d %H:%M:%S}, long before those that it follows"
            self.report.fault(Kind.BACKDATED, what, index=index)
        if self.next is not None and at > self.next.created_at + MOST_DISORDER:
            what = f"event {event_id} says to be younger than the checkpoint that has it"
            self.report.fault(Kind.POSTDATED, what, index=index)
        elif self.youngest is None or at > self.youngest:
            self.youngest = at
        return told

    def _roots(self) -> None:
        checkpoint = self.next
        if checkpoint is None or checkpoint.size > self.tree.size:
            return
        if hmac.compare_digest(self.tree.root(), bytes(checkpoint.root)):
            self._last_good = checkpoint.size
        else:
            what = f"the events up to checkpoint {checkpoint.size} do not give its root"
            self.report.fault(Kind.ROOT, what, index=self._last_good)
        self._take_checkpoint()

    def _take_checkpoint(self) -> None:
        """The next checkpoint, compared with the note in which its log signed it."""
        self.next = next(self.checkpoints, None)
        if self.next is None:
            return
        self.report.checkpoints += 1
        if not self.next.note and self.next.size == self.end:
            self.report.not_verified.append(f"checkpoint {self.end} is not signed yet")
        elif not is_signed(self.next):
            what = f"checkpoint {self.next.size} is not what {self.next.log.origin} signed"
            self.report.fault(Kind.CHECKPOINT, what, index=self.next.size)


def is_signed(checkpoint: AuditCheckpoint) -> bool:
    """Whether the note of a row is signed by its log and says what the row says."""
    try:
        key = VerifierKey.parse(checkpoint.log.verifier_key)
        text = open_note(checkpoint.note, [key]).text
    except (NoteInvalid, ValueError):
        return False
    return key.name == checkpoint.log.origin and text == checkpoint.as_checkpoint().text


def _events(first: int, end: int) -> Iterator[dict[str, Any]]:
    rows = AuditEvent.objects.filter(tree_index__gte=first, tree_index__lt=end).order_by("tree_index").values(*READ)
    return map(as_bytes, rows)


def as_bytes(row: dict[str, Any]) -> dict[str, Any]:
    """`row`, whose binary columns come in the driver's own types."""
    for name in ("leaf", "leaf_hash", "mac"):
        row[name] = bytes(row[name])
    return row


def check_row(report: Report, row: dict[str, Any]) -> dict[str, Any] | None:
    """Compare a row with itself: its hash, its mark, its columns. What the leaf says, None where there is none."""
    index, event_id = row["tree_index"], row["event_id"]
    if not hmac.compare_digest(leaf_hash(row["leaf"]), row["leaf_hash"]):
        report.fault(Kind.EDITED, f"the leaf of event {event_id} is not the one of its hash", index=index)
    try:
        told = members_of(row["leaf"])
    except LeafRefused:
        report.fault(Kind.EDITED, f"the leaf of event {event_id} is none", index=index)
        return None
    try:
        secret = keyring().get("audit_mac", row["mac_key"]).secret
        if not hmac.compare_digest(window_mac(key=secret, digest=row["leaf_hash"], node=told["node"]), row["mac"]):
            report.fault(Kind.UNMARKED, f"event {event_id} was not written by this installation", index=index)
    except UnknownKey:
        pass  # removed by a rotation: the tree alone guards such an event
    for column, member in _COPIES.items():
        if (row[column] or None) != (told[member] or None) and _text(row[column]) != told[member]:
            report.fault(Kind.COLUMN, f"column {column} of event {event_id} differs from its leaf", index=index)
    return told


def _text(value: Any) -> str:
    return timestamp(value) if isinstance(value, datetime) else str(value)
