"""The log in the layout of c2sp.org/tlog-tiles, read from the database: what is signed and nothing else."""

import re
from dataclasses import dataclass

from security.errors import Archived
from security.tlog.export import entry, events_of
from security.tlog.pruned import pruned_in
from security.tlog.store import last_signed, load_tile
from security.tlog.tiles import HEIGHT, WIDTH, tile_path
from security.tlog.tree import HASH_BYTES

_PLACE = re.compile(r"([0-5]|entries)/((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Served:
    """The bytes of one tile. A full one never changes again. `events` is how many are in it: none among hashes."""

    content: bytes
    is_full: bool
    events: int = 0


def serve_tile(place: str) -> Served | None:
    """The tile at `place` ("0/x001/067", "entries/000.p/4") of the last signed tree; None where it has none there.

    Raises Archived for a tile of events from which some were taken out: a tool must not take the rest for the whole.
    """
    parsed = _PLACE.fullmatch(place)
    last = last_signed()
    if parsed is None or last is None:
        return None
    kind, groups, partial = parsed.groups()
    index, width = int(re.sub(r"[x/]", "", groups)), int(partial) if partial else WIDTH
    level = 0 if kind == "entries" else int(kind)
    is_canonical = tile_path(kind, index, width=width) == f"tile/{place}"
    if not is_canonical or not 0 < width <= WIDTH or index * WIDTH + width > last.size >> HEIGHT * level:
        return None
    if kind == "entries":
        start = index * WIDTH
        rows = events_of(index, first=start, end=start + width)
        missing = set(range(start, start + width)) - rows.keys()
        if missing and not missing.isdisjoint(pruned_in(index)):
            raise Archived
        content = b"".join(entry(rows.get(start + at)) for at in range(width))
        return Served(content, is_full=width == WIDTH, events=len(rows))
    hashes = load_tile(level, index)[: width * HASH_BYTES]
    return Served(hashes, is_full=width == WIDTH) if len(hashes) == width * HASH_BYTES else None
