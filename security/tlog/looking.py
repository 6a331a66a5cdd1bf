"""Looks at the events of one chunk of the tree: each with itself, its copies, and the tree's hash at its place.

Needs nothing of the chunks before it, so several processes can share a long log. Writes nothing.
"""

import gc
import hmac
import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any

import django

from security.audit import AuditEvent, Leaf, may_lack_key
from security.audit.leaf import LeafRefused, leaf_hash, members_of, timestamp, window_mac
from security.crypto import KeyRing, UnknownKey, keyring
from security.statements import Parameter, Row, Select
from security.tlog.findings import Fault, Kind, Report
from security.tlog.openings import Committed, Openings

# Columns that copy a member of the leaf.
_COPIES = {
    "event_id": "id",
    "actor": "actor",
    "target": "target",
    "company": "company",
    "occurred_at": "ts",
    "type": "type",
    "audit_class": "class",
    "outcome": "outcome",
    "session_id": "sid",
    "request_id": "request_id",
}
_copied = itemgetter(*_COPIES.values())
READ = ("id", "tree_index", "leaf", "leaf_hash", "mac", "mac_key", "address_index", *_COPIES)
_PLACE = AuditEvent._meta.get_field("tree_index")
# Ids, times and hashes come as they are: printing and parsing them as text costs more than all that is proved.
_of_chunk = Select(
    lambda: (
        AuditEvent.objects.filter(tree_index__gte=Parameter("first", _PLACE), tree_index__lt=Parameter("end", _PLACE))
        .order_by("tree_index")
        .values_list(*READ)
    )
)
_LONG = 50_000
_MOST_PROCESSES = 4  # the database has others to serve
_AHEAD = 16  # chunks for each process: how far the others get while the first of them starts


@dataclass(frozen=True, slots=True)
class Chunk:
    """Places of the tree from `first` on, by the hashes that the tiles have there."""

    first: int
    hashes: tuple[bytes, ...]

    @property
    def end(self) -> int:
        """The place after the last."""
        return self.first + len(self.hashes)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a chunk: places without an event; of each readable one its row id and when it says it was; what
    is wrong.
    """

    missing: frozenset[int]
    written: dict[int, tuple[int, datetime]]
    faults: tuple[Fault, ...]


def worthwhile(events: int) -> int:
    """How many processes to look at so many events with: one for a log that is read before others have started."""
    return 1 if events < _LONG else min(_MOST_PROCESSES, len(os.sched_getaffinity(0)))


def looked_at(chunks: Iterable[Chunk], *, processes: int) -> Iterator[tuple[Chunk, Looked]]:
    """Each chunk, in order, with what was found in it. This process is one of `processes` that share them."""
    openings = Openings()
    if processes == 1:
        yield from ((chunk, look_at(chunk, openings)) for chunk in chunks)
        return
    # Not forked: a child would share this process's connections, and whatever locks its threads hold.
    spawned = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes - 1, mp_context=spawned, initializer=django.setup)
    # What is loaded stays: looking through it again and again for rubbish takes a tenth of the time.
    gc.freeze()
    ahead: deque[tuple[Chunk, Future[Looked]]] = deque()
    try:
        for chunk in chunks:
            # One that they look at and one that waits for each of the others, which start, and look, while we look.
            if sum(not found.done() for _, found in ahead) < 2 * (processes - 1):
                ahead.append((chunk, pool.submit(_look_elsewhere, chunk)))
            else:
                ahead.append((chunk, Future()))
                ahead[-1][1].set_result(look_at(chunk, openings))
            while ahead and (ahead[0][1].done() or len(ahead) > _AHEAD * processes):
                done, found = ahead.popleft()
                yield done, found.result()
        yield from ((done, found.result()) for done, found in ahead)
    finally:
        gc.unfreeze()
        pool.shutdown(cancel_futures=True)


def _look_elsewhere(chunk: Chunk) -> Looked:
    return look_at(chunk, _openings())


@cache
def _openings() -> Openings:
    """Of a process that does nothing else, and ends with the log."""
    gc.freeze()
    return Openings()


def look_at(chunk: Chunk, openings: Openings) -> Looked:
    """Compare the events of a chunk with themselves, with the tree, and with the personal values kept beside them."""
    found, ring = Report(), keyring()
    missing, written = set(range(chunk.first, chunk.end)), {}
    rows = _of_chunk.all(first=chunk.first, end=chunk.end)
    openings.read([row[0] for row in rows])
    for row in rows:
        pk, index, _, digest, _, _, address_index, event_id, _, _, _, at, *_ = row
        missing.discard(index)
        told = check_row(found, row, ring)
        if not hmac.compare_digest(digest, chunk.hashes[index - chunk.first]):
            found.fault(Kind.EDITED, f"event {event_id} is not the one that the tree has here", index=index)
        if told is not None:
            written[index] = pk, at
            openings.check(found, Committed(pk, index, address_index, told))
    openings.check_gone(found)
    return Looked(frozenset(missing), written, tuple(found.faults))


def check_row(report: Report, row: Row, ring: KeyRing) -> dict[str, Any] | None:
    """Compare a row of READ with itself: hash, mark, columns. What its leaf says, None where there is none."""
    _, index, leaf, digest, mac, mac_key, _, event_id, actor, target, company, at, *words = row
    if not hmac.compare_digest(leaf_hash(leaf), digest):
        report.fault(Kind.EDITED, f"the leaf of event {event_id} is not the one of its hash", index=index)
    try:
        told = members_of(leaf)
    except LeafRefused:
        report.fault(Kind.EDITED, f"the leaf of event {event_id} is none", index=index)
        return None
    try:
        secret = ring.get("audit_mac", mac_key).secret
        if not hmac.compare_digest(window_mac(key=secret, digest=digest, node=told["node"]), mac):
            report.fault(Kind.UNMARKED, f"event {event_id} was not written by this installation", index=index)
    except UnknownKey:
        if not may_lack_key(ring, mac_key, at=at):
            what = f"event {event_id} is marked with a key that nothing was recorded under then"
            report.fault(Kind.UNMARKED, what, index=index)
        # Else removed by a rotation: the tree alone guards such an event.
    people = actor and str(actor), target and str(target), company and str(company)
    copies = (str(event_id), *people, timestamp(at), *words)
    if copies != _copied(told):
        try:
            Leaf.parse(leaf)
        except LeafRefused:  # an id or a time in it is none
            report.fault(Kind.EDITED, f"the leaf of event {event_id} is none", index=index)
            return None
        for column, copy, said in zip(_COPIES, copies, _copied(told), strict=True):
            if copy != said:
                report.fault(Kind.COLUMN, f"column {column} of event {event_id} differs from its leaf", index=index)
    return told
