"""Writes a bundle: events with all that proves them, in the layout of c2sp.org/tlog-tiles inside one zip file.

The hashes of the whole tree go along (35 bytes an event), so that who has the file can compute the signed root
himself, and leaves only of the events that were asked for.
"""

import json
import os
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.db.models.functions import TruncDate

from security.audit import AuditEvent, AuditPii, proved
from security.crypto import KeyDestroyed, SubjectKey
from security.tlog.epochs import Epochs
from security.tlog.models import AuditAnchor, AuditCheckpoint, AuditTile
from security.tlog.pruned import as_bits, prunings
from security.tlog.store import require_signed
from security.tlog.tiles import HEIGHT, WIDTH, tile_path
from security.tlog.tree import HASH_BYTES
from security.whole_files import drafted, sync_folder

Advance = Callable[[int], object]
# Asked of each event, and not of the database: beside a place, SQLite goes along the index of any other criterion, and
# through all its rows for each tile.
Only = Callable[[AuditEvent], bool]
VERIFIER = Path(__file__).with_name("verify_bundle.py")  # what checks a bundle, in a file of its own
README = """\
Events of an audit log, with their proof.

checkpoint          what the log signed: its name, how many events, the root over them (c2sp.org/tlog-checkpoint)
checkpoints         the last 10,000 it signed up to this one, and the last of each day before; each after an empty line
cosigned            of each witness the last checkpoint of each day that it cosigned (c2sp.org/tlog-cosignature)
keys                the log's public keys; take the key you trust from elsewhere
tile/0 and above    hashes of the tree (c2sp.org/tlog-tiles)
tile/entries        the events of this bundle: two bytes of length, then the event as JSON, 256 in a file; a length of
                    zero stands for an event that is in the tree and not in this bundle
range               first event of this bundle, and the first after it: nobody signed that, so ask with --whole
prunings            what retention took out of the database: each event that tells of it, then by tile a bit for each
                    place; the hashes stay in the tree
disclosures         personal values that an event commits to: index, field, value and salt, one JSON object a line

verify_bundle.py of KoshFlow checks all of it without our database.
"""


# A checkpoint every ten seconds is 3 million a year, and the verifier reads them as one list.
_MOST_CHECKPOINTS = 10_000


@dataclass(slots=True)
class Bundle:
    """What was written."""

    size: int
    events: int = 0
    disclosures: int = 0


def write_bundle(
    path: Path,
    *,
    first: int = 0,
    end: int | None = None,
    is_disclosing: bool = False,
    advance: Advance = lambda _: None,
) -> Bundle:
    """Write events `first` up to `end` (without it) of the last signed tree to the new file `path`, mode 0600, whole or
    not at all.

    `is_disclosing` adds the personal values that are not erased. Raises NotSealed, FileExistsError, BlockingIOError
    while another run writes it, OSError.
    """
    last = require_signed()
    done = Bundle(size=last.size)
    with drafted(path) as (draft, file):
        with zipfile.ZipFile(file, "w") as bundle:
            for name, content in _members(
                last, done, first=first, end=end, is_cosigned=True, is_disclosing=is_disclosing, advance=advance
            ):
                bundle.writestr(member(name, compression=zipfile.ZIP_DEFLATED), content)
        file.flush()
        os.fsync(file.fileno())
        os.link(draft, path)  # a rename would replace what came there meanwhile
    sync_folder(path.parent)
    return done


def stream_bundle(
    checkpoint: AuditCheckpoint,
    *,
    first: int,
    end: int,
    only: Only | None = None,
    is_cosigned: bool = False,
    advance: Advance = lambda _: None,
) -> Iterator[bytes]:
    """A bundle of events `first` up to `end` (without it) under `checkpoint`, in pieces, without personal values.

    `only` says of an event whether it goes along. Nothing is compressed: two builds of zlib give different bytes, and
    these are the same from any host; as long as it is not `is_cosigned`, since a witness signs when it comes to it.
    """
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w") as bundle:
        done = Bundle(size=checkpoint.size)
        for name, content in _members(
            checkpoint, done, first=first, end=end, only=only, is_cosigned=is_cosigned, advance=advance
        ):
            bundle.writestr(member(name), content)
            yield pieces.take()
    yield pieces.take()


def member(name: str, *, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """A member of a zip file that tells neither when nor by whom it was put there."""
    info = zipfile.ZipInfo(name)  # of 1980, the beginning of a zip file's time
    info.compress_type = compression
    info.external_attr = 0o600 << 16
    info.create_system = 3
    return info


class _Pieces:
    """What a zip file is written to, where it cannot be gone back in."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._held.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """All that was written since the last call."""
        held, self._held = b"".join(self._held), []
        return held


def _members(
    last: AuditCheckpoint,
    done: Bundle,
    *,
    first: int = 0,
    end: int | None = None,
    only: Only | None = None,
    is_cosigned: bool = False,
    is_disclosing: bool = False,
    advance: Advance = lambda _: None,
) -> Iterator[tuple[str, bytes | str]]:
    """(name, content) of each; what they hold is counted in `done`."""
    end = last.size if end is None else min(end, last.size)
    yield "README", README
    yield "checkpoint", last.note
    yield "checkpoints", "\n".join(_notes(last))
    if is_cosigned:
        yield "cosigned", "".join(cosigned_notes(last))
    yield "keys", "".join(f"{log.verifier_key}\n" for log in Epochs(end=last.size).known)
    yield from _tiles(last.size)
    if only is None:  # of a selection, nobody can say whether it is whole
        if first < end:
            yield "range", f"{first} {end}\n"
        yield "prunings", "".join(f"{json.dumps(line)}\n" for line in _prunings(last.size))
    disclosed = []
    for tile in range(first // WIDTH, -(-end // WIDTH)):
        rows = events_of(tile, first=first, end=end, only=only)
        advance(len(rows))
        if not rows:
            continue  # a verifier takes what is not there for left out
        width = min(WIDTH, last.size - tile * WIDTH)
        entries = b"".join(entry(rows.get(tile * WIDTH + at)) for at in range(width))
        yield tile_path("entries", tile, width=width), entries
        disclosed += _disclosures(rows.values()) if is_disclosing else []
        done.events += len(rows)
    if is_disclosing:
        done.disclosures = len(disclosed)
        yield "disclosures", "".join(json.dumps(line) + "\n" for line in disclosed)


def _notes(last: AuditCheckpoint) -> Iterator[str]:
    signed = AuditCheckpoint.objects.filter(size__lte=last.size).exclude(note="").order_by("size")
    recent = signed.order_by("-size").values_list("size", flat=True)[_MOST_CHECKPOINTS - 1 : _MOST_CHECKPOINTS].first()
    if recent is not None:
        yield from _last_of_each_day(signed.filter(size__lt=recent), "created_at").values_list("note", flat=True)
    yield from signed.filter(size__gte=recent or 0).values_list("note", flat=True)


def _last_of_each_day(rows: Any, time: str) -> Any:
    """Of rows with a `size`, the largest of each day of UTC, in order."""
    days = rows.order_by().annotate(day=TruncDate(time, tzinfo=UTC)).values("day").annotate(largest=Max("size"))
    return rows.filter(size__in=days.values("largest"))


def cosigned_notes(checkpoint: AuditCheckpoint) -> Iterator[str]:
    """Of each witness, the last note of each day that it cosigned, up to `checkpoint`, each before an empty line."""
    signed = AuditAnchor.objects.filter(size__lte=checkpoint.size)
    for sink in signed.order_by("sink").values_list("sink", flat=True).distinct():
        for note in (
            _last_of_each_day(signed.filter(sink=sink), "seen_at").order_by("size").values_list("note", flat=True)
        ):
            yield f"{note}\n"


def _tiles(size: int) -> Iterator[tuple[str, bytes]]:
    for tile in AuditTile.objects.order_by("level", "index").iterator(chunk_size=64):
        # A tile may have grown since the checkpoint: what it had then is its beginning.
        width = min(WIDTH, (size >> HEIGHT * tile.level) - tile.index * WIDTH)
        if width > 0:
            yield tile_path(tile.level, tile.index, width=width), bytes(tile.hashes)[: width * HASH_BYTES]


def _prunings(size: int) -> Iterator[dict[str, Any]]:
    for pruning in prunings(end=size):
        yield {"event": pruning.index, "leaf": pruning.leaf.decode()}
        for tile, places in pruning.tiles():
            yield {"event": pruning.index, "tile": tile, "places": as_bits(places).hex()}


def events_of(tile: int, *, first: int, end: int, only: Only | None = None) -> dict[int, AuditEvent]:
    """By its place, each event of a tile that is between `first` and `end`, of those that `only` takes."""
    first, end = max(first, tile * WIDTH), min(end, tile * WIDTH + WIDTH)
    rows = AuditEvent.objects.filter(tree_index__gte=first, tree_index__lt=end)
    return {row.tree_index: row for row in rows if row.tree_index is not None and (only is None or only(row))}


def entry(event: AuditEvent | None) -> bytes:
    """An event as tiles of entries have it: two bytes of length, then the leaf; no length where there is none."""
    leaf = b"" if event is None else bytes(event.leaf)
    return len(leaf).to_bytes(2, "big") + leaf


def _disclosures(events: Iterable[AuditEvent]) -> list[dict[str, Any]]:
    by_id = {event.pk: event for event in events}
    rows = list(AuditPii.objects.filter(event__in=by_id).order_by("event__tree_index", "field"))
    subjects: dict[UUID, SubjectKey] = SubjectKey.objects.in_bulk({row.subject for row in rows})
    told = []
    for row in rows:
        event = by_id[row.event_id]
        subject, committed = subjects.get(row.subject), event.parsed_leaf().pii.get(row.field, "")
        try:
            salt, text = proved(
                row.ciphertext, field=row.field, event_id=event.event_id, subject=subject, committed=committed
            )
        except KeyDestroyed:
            continue  # erased
        value = {"value": json.loads(text), "salt": b64encode(salt).decode()}
        told.append({"index": event.tree_index, "field": row.field} | value)
    return told
