"""Looks a password up in the operator's file of breached ones. Never loads the file, never asks the network.

The file has one upper-case SHA-1 in hexadecimal a line, sorted, each perhaps followed by `:` and a count: the
form in which Have I Been Pwned hands out its list (some 40 GB).
"""

import os
import re
from hashlib import sha1
from pathlib import Path
from typing import BinaryIO

_LINE = re.compile(rb"([0-9A-Fa-f]{40})(?::[0-9]+)?\s*")
_LONGEST_LINE = 128


class BreachedFileInvalid(ValueError):  # noqa: N818 - named for what is wrong
    """The file holds a line that is no SHA-1: a search in it would find nothing, with confidence."""


def is_breached(password: str, file: Path) -> bool:
    """Whether `file` lists `password`. Some 36 reads for 40 GB. Raises OSError, BreachedFileInvalid."""
    wanted = sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with file.open("rb") as lines:
        low, high = 0, os.fstat(lines.fileno()).st_size
        # Finds the first place from which on the next whole line is not smaller than the wanted one.
        while low < high:
            middle = (low + high) // 2
            found = _hash_from(lines, middle)
            if found is None or found >= wanted:
                high = middle
            else:
                low = middle + 1
        return _hash_from(lines, low) == wanted


def _hash_from(lines: BinaryIO, place: int) -> bytes | None:
    """Hash of the first line that begins at `place` or after it; None where the file ends before."""
    lines.seek(max(place - 1, 0))
    if place > 0:
        _line(lines)  # to the end of the line that the byte before `place` belongs to
    line = _line(lines)
    if not line.strip():
        return None
    found = _LINE.fullmatch(line)
    if found is None:
        raise BreachedFileInvalid("the file of breached passwords holds a line that is no SHA-1")
    return found[1].upper()


def _line(lines: BinaryIO) -> bytes:
    line = lines.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
        raise BreachedFileInvalid("the file of breached passwords holds a line that is too long")
    return line
