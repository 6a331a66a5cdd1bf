"""Where a key ring lies: in a file of its own, with one backup beside it.

What stands in the ring is said elsewhere; who reads the file while it changes, `keyring()`.
"""

from pathlib import Path

from security.crypto.keyring import generate
from security.whole_files import replace_whole, write_whole

BACKUP_SUFFIX = ".before"


def replace_ring(path: Path, text: str) -> None:
    """Put a ring of `text` in the place of the one at `path`, which stays as one backup beside it.

    A reader sees the old ring or the new one, never half of one. Owner and group stay, and so does the group's right to
    read. Raises OSError; then the ring is the old one.
    """
    replace_whole(path.with_name(path.name + BACKUP_SUFFIX), path.read_text(encoding="ascii"), like=path)
    replace_whole(path, text, like=path)


def write_fresh_ring(path: Path) -> None:
    """Write a fresh ring to `path`. Raises as `write_whole`.

    It never replaces a ring, without which everything sealed under it is lost.
    """
    write_whole(path, generate() + "\n")
