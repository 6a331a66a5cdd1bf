"""Cuts the tree into tiles of 256 hashes (c2sp.org/tlog-tiles): what is stored, served and read of it.

Level 0 holds leaf hashes; an entry of level L+1 is the root of one full tile of level L. A tile only ever grows, so
one row stands for all its partial forms: a tile of width w is the first w hashes of it.
"""

from collections.abc import Callable
from functools import lru_cache

from security.tlog.tree import HASH_BYTES, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
FULL_BYTES = WIDTH * HASH_BYTES

Load = Callable[[int, int], bytes]  # (level, index) -> the hashes of that tile that are there


class TileMissing(LookupError):  # noqa: N818 - named for what happened
    """A hash is asked for that no stored tile holds."""

    def __init__(self, level: int, index: int) -> None:
        super().__init__(f"tile {tile_path(level, index)} lacks a hash that the tree needs")
        self.level, self.index = level, index


class TiledNodes:
    """The tree's nodes out of its tiles (`Nodes` of `tree`). Keeps what it has read."""

    def __init__(self, load: Load) -> None:
        self._tile = lru_cache(maxsize=256)(load)

    def node(self, level: int, index: int) -> bytes:
        """Root of the perfect subtree. Raises TileMissing."""
        tile_level, inner = divmod(level, HEIGHT)
        tile, offset = divmod(index << inner, WIDTH)
        wanted = self._tile(tile_level, tile)[offset * HASH_BYTES : (offset + (1 << inner)) * HASH_BYTES]
        if len(wanted) != HASH_BYTES << inner:
            raise TileMissing(tile_level, tile)
        return perfect_root(wanted)


class RightEdge:
    """The tiles that grow when leaves are appended to a tree of `size`."""

    def __init__(self, size: int, load: Load) -> None:
        """Reads at most one tile a level. Raises TileMissing."""
        self.size = size
        self._changed: dict[tuple[int, int], bytearray] = {}
        self._open: list[bytearray] = []
        while True:
            level = len(self._open)
            tile, width = divmod(size, WIDTH)
            stored = load(level, tile)[: width * HASH_BYTES] if width else b""
            if len(stored) != width * HASH_BYTES:
                raise TileMissing(level, tile)
            self._open.append(bytearray(stored))
            if not size:
                break
            size >>= HEIGHT

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf at the right."""
        entry, entries, level = leaf_hash, self.size, 0
        while True:
            tile = self._open[level]
            tile += entry
            self._changed[level, entries // WIDTH] = tile
            if len(tile) < FULL_BYTES:
                break
            entry, entries, level = perfect_root(bytes(tile)), entries >> HEIGHT, level + 1
            self._open[level - 1] = bytearray()
            if len(self._open) == level:
                self._open.append(bytearray())
        self.size += 1

    def changed(self) -> dict[tuple[int, int], bytes]:
        """(level, index) of each tile that grew, and its hashes now."""
        return {place: bytes(tile) for place, tile in self._changed.items()}


def perfect_root(hashes: bytes) -> bytes:
    """Root of the perfect tree over these hashes; their number is a power of two."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join(node_hash(hashes[at : at + 32], hashes[at + 32 : at + 64]) for at in pairs)
    return hashes


def tile_path(level: int | str, index: int, *, width: int = WIDTH) -> str:
    """Path of a tile below the log's prefix: "tile/0/x001/x234/067", "tile/1/000.p/8"."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"
