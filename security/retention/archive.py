"""Files in which events outlive their place in the database: written before anything is deleted, read back, checked.

Gzipped JSON lines. The first names the plan, the class, the cut-off and the signed checkpoint that the events lead to;
then each event byte for byte with its index and its personal values, still sealed under the keys of their people, so
that who is erased is erased here too; the last line has their number and digest.
"""

import gzip
import hashlib
import json
import os
import stat
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from security.audit.leaf import canonical, leaf_hash
from security.retention.policy import RetentionRefused
from security.tlog import Digest
from security.whole_files import drafted, sync_folder

_MOST_LINE_BYTES = 1 << 20  # an event has 8 KiB, its personal values less than the rest

# What reading a file that is not ours, or was changed, can end in; a place in it may be too large a number, or a part.
_UNREADABLE = (
    ValueError, TypeError, KeyError, AttributeError, OverflowError, EOFError, RecursionError,
    gzip.BadGzipFile, zlib.error,
)  # fmt: skip

Line = tuple[int, bytes, list[dict[str, str]]]  # index, leaf, its personal values


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that was read whole. `head` is its first line, `sha256` of the file as it lies there, in hex."""

    path: Path
    head: dict[str, Any]
    digest: Digest
    sha256: str


class ArchiveWrong(ValueError):  # noqa: N818 - named for what it says
    """The file is not one of ours, or not whole."""


def write_archive(path: Path, head: dict[str, Any], lines: Iterable[Line]) -> Archive:
    """Write the new file `path` (mode 0600), and read it back from there before it gets its name.

    The same lines give the same bytes, so a run that ended before it could tell of its file may be run again. Raises
    RetentionRefused where another file has the name or another run writes it, OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with drafted(path) as (partial, file):
            written = _write(file, head, lines)
            file.flush()
            os.fsync(file.fileno())
            archive = read_archive(partial)
            if (archive.digest.hex(), archive.digest.count) != (written.hex(), written.count):
                raise RetentionRefused("archive", f"{partial} does not hold what was written to it")
            _give_name(partial, path, sha256=archive.sha256)
    except BlockingIOError as busy:
        raise RetentionRefused("running", f"another run is writing {path}") from busy
    return Archive(path, archive.head, archive.digest, archive.sha256)


def _write(file: Any, head: dict[str, Any], lines: Iterable[Line]) -> Digest:
    digest = Digest()
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(json.dumps(head, ensure_ascii=False).encode() + b"\n")
        for index, leaf, values in lines:
            digest.add(index, leaf_hash(leaf))
            packed.write(b'{"index":%d,"event":%s,"pii":%s}\n' % (index, leaf, json.dumps(values).encode()))
        packed.write(json.dumps({"events": digest.count, "digest": digest.hex()}).encode() + b"\n")
    return digest


def _give_name(partial: Path, path: Path, *, sha256: str) -> None:
    try:
        os.link(partial, path)  # a rename would replace what is there
    except FileExistsError:
        if sha256_of(path) != sha256:
            raise RetentionRefused("archive", f"{path} is there, and holds something else; move it away") from None
    sync_folder(path.parent)


def read_archive(path: Path) -> Archive:
    """Read the whole file, and hash every event in it. Raises ArchiveWrong, OSError."""
    digest, head, last = Digest(), {}, None
    try:
        for number, line in enumerate(_lines_in(path)):
            told = json.loads(line)
            if number == 0:
                head = dict(told)
            elif "index" in told:
                digest.add(told["index"], leaf_hash(canonical(told["event"])))
            else:
                last = told
    except ArchiveWrong:
        raise
    except _UNREADABLE as wrong:
        raise ArchiveWrong(f"{path} is no archive of this log, or was changed: {type(wrong).__name__}") from wrong
    if last != {"events": digest.count, "digest": digest.hex()}:
        raise ArchiveWrong(f"{path} is not whole, or was changed")
    return Archive(path, head, digest, sha256_of(path))


def indexes_in(path: Path) -> Iterator[int]:
    """The places of a file's events, which was read before."""
    for line in _lines_in(path):
        if line.startswith(b'{"index":'):
            yield int(line[9 : line.index(b",")])


def _lines_in(path: Path) -> Iterator[bytes]:
    """Bounded: a megabyte of packed zeros may be a gigabyte, and a pipe may never end. Raises ArchiveWrong."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ArchiveWrong(f"{path} is no file")
    with gzip.open(path, "rb") as packed:
        while line := packed.readline(_MOST_LINE_BYTES + 1):
            if len(line) > _MOST_LINE_BYTES:
                raise ArchiveWrong(f"{path} is no archive of this log: it has a line without end")
            yield line


def sha256_of(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def value_of(field: str, subject: object, ciphertext: bytes) -> dict[str, str]:
    """A personal value as an archive has it: sealed as it was."""
    return {"field": field, "subject": str(subject), "ciphertext": b64encode(ciphertext).decode()}
