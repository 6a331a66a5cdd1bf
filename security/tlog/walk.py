"""Walks once over the events in the order of the tree: each with itself, with its place, and with what was signed.

Reads in chunks, so that its memory does not grow with the log. Writes nothing.
"""

import hmac
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q, Subquery
from django.db.models.functions import Coalesce

from security.audit import AuditEvent
from security.tlog.epochs import Epochs
from security.tlog.findings import Kind, Report
from security.tlog.looking import Chunk, Looked, looked_at
from security.tlog.models import AuditCheckpoint
from security.tlog.note import NoteInvalid, VerifierKey, open_note
from security.tlog.pruned import Covered
from security.tlog.row_ids import RowIds
from security.tlog.store import load_tile, stored_nodes
from security.tlog.tiles import FULL_BYTES, WIDTH, TileMissing
from security.tlog.tree import HASH_BYTES, CompactRange

CHUNK = 4 * WIDTH
# How much older than one before it an event may say it is: its transaction may have been open that long.
MOST_DISORDER = timedelta(minutes=10)

Advance = Callable[[int], object]  # told how many events were looked at since the last call


class Walk:
    """One pass over the events in the order of the tree."""

    def __init__(self, report: Report, *, end: int, advance: Advance, processes: int) -> None:
        self.report = report
        self.end = end
        self.advance = advance
        self.processes = processes
        # A busy log has millions of checkpoints: they are taken one after the other.
        rows = AuditCheckpoint.objects.select_related("log").filter(size__gt=report.since, size__lte=end)
        self.checkpoints = rows.order_by("size").iterator(chunk_size=500)
        self.next: AuditCheckpoint | None = None
        self.youngest: datetime | None = None
        self.covered = Covered(report, end=end)
        self.epochs = Epochs()
        self._last_good = 0
        self._row_ids = RowIds()

    def run(self) -> None:
        try:
            self.tree = CompactRange.of(stored_nodes(), self.report.since)
        except TileMissing as missing:
            self.report.fault(Kind.TILE, str(missing), index=missing.index * WIDTH if missing.level == 0 else None)
            return
        for log in self.epochs.strange:
            what = f"the database names the log {log.verifier_key}, which the tree does not tell of"
            self.report.fault(Kind.KEY, what)
        # Whoever asks for notes alone finds these too, though no size or log leads to them from here.
        nowhere = Q(size__lte=0) | ~Q(log__in=[log.epoch for log in self.epochs.known])
        for size in AuditCheckpoint.objects.filter(nowhere).order_by("size").values_list("size", flat=True)[:1]:
            what = f"checkpoint {size} is of no tree, or of no log that the tree tells of"
            self.report.fault(Kind.CHECKPOINT, what, index=size)
        self._take_checkpoint()
        before = AuditEvent.objects.filter(tree_index__lt=self.report.since).order_by("-tree_index")
        for row_id, at in before.values_list("id", "occurred_at")[:1]:
            self.youngest = at
            self._row_ids.is_in_order(row_id, at)
        for chunk, looked in looked_at(self._chunks(), processes=self.processes):
            self._place(chunk, looked)
        # In one statement, since the log may be sealed meanwhile.
        last = AuditCheckpoint.objects.order_by("-size").values("size")[:1]
        beyond = AuditEvent.objects.filter(tree_index__gte=Coalesce(Subquery(last), 0)).order_by("tree_index")
        before = AuditEvent.objects.filter(tree_index__lt=0).order_by("-tree_index")
        for event in (*before[:1], *beyond[:1]):
            what = f"event {event.event_id} has a place that no checkpoint covers"
            self.report.fault(Kind.EXTRA, what, index=event.tree_index)
        # The database holds ids apart as long as nobody tells it otherwise. By the index of them alone.
        ids = AuditEvent.objects.order_by().values_list("event_id").annotate(rows=Count("*")).filter(rows__gt=1)
        for event_id, rows in ids[:1]:
            places = AuditEvent.objects.filter(event_id=event_id).aggregate(last=Max("tree_index"))
            self.report.fault(Kind.EXTRA, f"event {event_id} is in the log {rows} times", index=places["last"])

    def _chunks(self) -> Iterator[Chunk]:
        since = self.report.since
        for start in range(since - since % WIDTH, self.end, CHUNK):
            end = min(start + CHUNK, self.end)
            tiles = range(start // WIDTH, (end - 1) // WIDTH + 1)
            hashes = b"".join(load_tile(0, tile).ljust(FULL_BYTES, b"\0") for tile in tiles)
            first = max(start, since)
            places = range((first - start) * HASH_BYTES, (end - start) * HASH_BYTES, HASH_BYTES)
            yield Chunk(first, tuple(hashes[at : at + HASH_BYTES] for at in places))

    def _place(self, chunk: Chunk, looked: Looked) -> None:
        """Put what was found in a chunk into the order of the whole tree."""
        for fault in looked.faults:
            self.report.fault(fault.kind, fault.what, index=fault.index)
        covered = self.covered.places(chunk.first, chunk.end) if looked.missing else set()
        for index, in_tree in enumerate(chunk.hashes, chunk.first):
            if index not in looked.missing:
                self.report.events += 1
            elif index in covered:
                self.report.pruned += 1
            else:
                self.report.fault(Kind.MISSING, "an event of the tree is not in the database", index=index)
            if index in looked.written:
                self._in_order(index, *looked.written[index])
            # With the tile's hash in a bad event's place, the roots tell whether it is the event or the tile.
            self.tree.append(in_tree)
            self._roots()
        self.advance(len(chunk.hashes))

    def _in_order(self, index: int, row_id: int, at: datetime) -> None:
        if self.youngest is not None and at < self.youngest - MOST_DISORDER:
            what = f"the event says {at:%Y-%m-%d %H:%M:%S}, long before those that it follows"
            self.report.fault(Kind.BACKDATED, what, index=index)
        if self.next is not None and at > self.next.created_at + MOST_DISORDER:
            what = "the event says to be younger than the checkpoint that has it"
            self.report.fault(Kind.POSTDATED, what, index=index)
            return
        if self.youngest is None or at > self.youngest:
            self.youngest = at
        if not self._row_ids.is_in_order(row_id, at):
            what = f"the event has the row id {row_id}, by which lists have it among much older ones"
            self.report.fault(Kind.COLUMN, what, index=index)

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
        before, self.next = self.next, next(self.checkpoints, None)
        if self.next is None:
            return
        self.report.checkpoints += 1
        if before is not None and self.next.created_at < before.created_at - MOST_DISORDER:
            what = f"checkpoint {self.next.size} says to be older than {before.size}"
            self.report.fault(Kind.CHECKPOINT, what, index=self.next.size)
        if self.next.log != self.epochs.of(self.next.size):
            what = f"checkpoint {self.next.size} is of {self.next.log.origin}, which does not sign that size"
            self.report.fault(Kind.CHECKPOINT, what, index=self.next.size)
        elif not self.next.note and self.next.size == self.end:
            self.report.not_verified.append(f"checkpoint {self.end} is not signed yet")
        elif not _is_signed(self.next):
            what = f"checkpoint {self.next.size} is not what {self.next.log.origin} signed"
            self.report.fault(Kind.CHECKPOINT, what, index=self.next.size)


def _is_signed(checkpoint: AuditCheckpoint) -> bool:
    """Whether the note of a row is signed by its log, by nobody else, and says what the row says."""
    try:
        key = VerifierKey.parse(checkpoint.log.verifier_key)
        opened = open_note(checkpoint.note, [key])
    except (NoteInvalid, ValueError):
        return False
    is_whole = opened.note == checkpoint.note  # a line in a witness's name would spoil every proof with it
    return is_whole and key.name == checkpoint.log.origin and opened.text == checkpoint.as_checkpoint().text
