"""Writes a file that must survive: whole or not at all, for its owner's eyes, there after a crash.

What stands in it, and who reads it while it changes, is the caller's matter.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_GROUP_READS = 0o040


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else on this machine changes the file `path` inside the block; waits for who does now.

    Raises OSError.
    """
    # The folder is locked: the file itself is another one after each change.
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write `text` to the new file `path`, readable by its owner only, durable on return.

    Raises FileExistsError and OSError. A file that could not be written whole is taken away again.
    """
    # EXCL also refuses a symbolic link; the mode counts from the first byte on.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor, not a path
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise
    sync_folder(path.parent)


def replace_whole(path: Path, text: str, *, like: Path | None = None) -> None:
    """Put the file `path` with `text` in the place of the one that may be there, as `write_whole` writes it.

    With `like`, as its owner's and group's, who may read it where they may read that. A reader sees the old file or the
    new one. Raises OSError; then the file is the old one.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # of a run that was killed
    stat = like.stat() if like else None
    write_whole(draft, text)
    try:
        if stat is not None:
            if (stat.st_uid, stat.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(draft, stat.st_uid, stat.st_gid)  # run by root, the service must still read it
            draft.chmod(0o600 | (stat.st_mode & _GROUP_READS))
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def drafted(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """The draft of a new file `path` beside it, empty, for its owner's eyes and this process alone; it goes at the end.

    Who has written it whole gives it its name. Raises BlockingIOError while another process writes it, OSError.
    """
    draft = path.with_name(f"{path.name}.partial")
    with _held_alone(draft) as file:
        try:
            file.truncate(0)  # of a run that was killed
            os.fchmod(file.fileno(), 0o600)
            yield draft, file
        finally:
            draft.unlink(missing_ok=True)


def _held_alone(draft: Path) -> BinaryIO:
    """Of the file that is open, `draft` is the only name: one that has another is finished, and may not be emptied."""
    while True:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise
        found = os.fstat(descriptor)
        if found.st_nlink == 1 and draft.exists() and os.path.samestat(found, draft.lstat()):
            return file
        if found.st_nlink > 1:
            draft.unlink(missing_ok=True)  # of a run that was killed when it had given the name
        file.close()


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a crash, as the files already do. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
