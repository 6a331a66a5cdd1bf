"""A file of lines that any number of processes append to, and that is put aside when it is large. No line is lost.

Nobody locks to write. A line is one write(2) on a descriptor that appends, so it stays whole; before each, the process
looks whether the path still leads to its file, and opens the new one where somebody put the old one aside. A line
written in that very moment stands in the file put aside. It deletes nothing: `pruning.py` does.
"""

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

# Of the two files, by their stem: the security log has a floor of its own below which nothing of it goes.
LOG, SECURITY = "koshflow", "security"
MOST_BYTES = 50_000_000


class LineFile:
    """Appends to `path`; the files put aside lie beside it as `<stem>-<time>.log`. Not thread-safe: handlers lock."""

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most = most_bytes
        self._descriptor: int | None = None

    def write(self, lines: str) -> None:
        """Append `lines`, whole or not at all. Raises OSError where the folder is missing, or the disk is full."""
        descriptor, text = self._ours(), lines.encode("ascii", "backslashreplace")
        written = os.write(descriptor, text)
        if written < len(text):
            self._take_back(descriptor, written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        if os.fstat(descriptor).st_size > self._most:
            self._put_aside()

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @staticmethod
    def _take_back(descriptor: int, written: int) -> None:
        """Cut the half of a line for which there was room: the next line, of any process, would go on in it."""
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        # Where another line came after it, since room came back that very moment, both stay as they are.
        if os.fstat(descriptor).st_size == end:
            os.ftruncate(descriptor, end - written)

    def _ours(self) -> int:
        if self._descriptor is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(self._path.stat(), os.fstat(self._descriptor)):
                    return self._descriptor
            self.close()
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def _put_aside(self) -> None:
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whoever waited for the lock finds the new file, which is small.
            with suppress(FileNotFoundError):
                if self._path.stat().st_size > self._most:
                    self._path.rename(aside(self._path, at_ns=time.time_ns()))
        finally:
            os.close(lock)


def aside(path: Path, *, at_ns: int) -> Path:
    """Where `path` is put aside at a moment in nanoseconds of Unix time; names sort as the times do."""
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at_ns // 1_000_000_000))
    return path.with_name(f"{path.stem}-{moment}{at_ns % 1_000_000_000:09d}.log")
