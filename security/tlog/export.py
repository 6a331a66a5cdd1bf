"""Writes a bundle: events with all that proves them, in the layout of c2sp.org/tlog-tiles inside one zip file.

The hashes of the whole tree go along (35 bytes an event), so that who has the file can compute the signed root
himself, and leaves only of the events that were asked for.
"""

import json
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from security.audit import AuditEvent, AuditPii, proved
from security.crypto import KeyDestroyed, SubjectKey
from security.tlog.models import AuditCheckpoint, AuditLog, AuditTile
from security.tlog.pruned import as_bits, prunings
from security.tlog.store import require_signed
from security.tlog.tiles import HEIGHT, WIDTH, tile_path
from security.tlog.tree import HASH_BYTES

Advance = Callable[[int], object]
README = """\
Events of an audit log, with their proof.

checkpoint          what the log signed: its name, how many events, the root over them (c2sp.org/tlog-checkpoint)
checkpoints         every checkpoint it signed up to this one, each after an empty line
keys                the log's public keys; take the key you trust from elsewhere
tile/0 and above    hashes of the tree (c2sp.org/tlog-tiles)
tile/entries        the events of this bundle: two bytes of length, then the event as JSON, 256 in a file; a length of
                    zero stands for an event that is in the tree and not in this bundle
range               first event of this bundle, and the first after it
prunings            what retention took out of the database: each event that tells of it, then by tile a bit for each
                    place; the hashes stay in the tree
disclosures         personal values that an event commits to: index, field, value and salt, one JSON object a line

verify_bundle.py of KoshFlow checks all of it without our database.
"""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was written."""

    size: int
    events: int
    disclosures: int


def write_bundle(
    path: Path,
    *,
    first: int = 0,
    end: int | None = None,
    is_disclosing: bool = False,
    advance: Advance = lambda _: None,
) -> Bundle:
    """Write events `first` up to `end` (without it) of the last signed tree to the new file `path`.

    `is_disclosing` adds the personal values that are not erased. Raises NotSealed, FileExistsError, OSError.
    """
    last = require_signed()
    end = last.size if end is None else min(end, last.size)
    with path.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        path.chmod(0o600)
        bundle.writestr("README", README)
        bundle.writestr("checkpoint", last.note)
        signed = AuditCheckpoint.objects.filter(size__lte=last.size).exclude(note="").order_by("size")
        bundle.writestr("checkpoints", "\n".join(signed.values_list("note", flat=True)))
        keys = AuditLog.objects.order_by("epoch").values_list("verifier_key", flat=True)
        bundle.writestr("keys", "".join(f"{key}\n" for key in keys))
        for name, hashes in _tiles(last.size):
            bundle.writestr(name, hashes)
        bundle.writestr("range", f"{first} {end}\n")
        with bundle.open("prunings", "w") as lines:
            for line in _prunings(last.size):
                lines.write(json.dumps(line).encode() + b"\n")
        events, disclosed = 0, []
        for tile in range(first // WIDTH, -(-end // WIDTH)):
            rows = events_of(tile, first=first, end=end)
            width = min(WIDTH, last.size - tile * WIDTH)
            entries = b"".join(entry(rows.get(tile * WIDTH + at)) for at in range(width))
            bundle.writestr(tile_path("entries", tile, width=width), entries)
            disclosed += _disclosures(rows.values()) if is_disclosing else []
            events += len(rows)
            advance(len(rows))
        if is_disclosing:
            bundle.writestr("disclosures", "".join(json.dumps(line) + "\n" for line in disclosed))
    return Bundle(size=last.size, events=events, disclosures=len(disclosed))


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


def events_of(tile: int, *, first: int, end: int) -> dict[int, AuditEvent]:
    """By its place, each event of a tile that is between `first` and `end`."""
    start = tile * WIDTH
    rows = AuditEvent.objects.filter(tree_index__gte=max(first, start), tree_index__lt=min(end, start + WIDTH))
    return {row.tree_index: row for row in rows if row.tree_index is not None}


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
        try:
            salt, value = proved(row, event_id=event.event_id, commitments=event.parsed_leaf().pii, subjects=subjects)
        except KeyDestroyed:
            continue  # erased
        told.append({"index": event.tree_index, "field": row.field, "value": value, "salt": b64encode(salt).decode()})
    return told
