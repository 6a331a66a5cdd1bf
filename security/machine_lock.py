"""A lock among the processes of one machine, on a file. It knows not what for, and needs no Django."""

import fcntl
import os
from pathlib import Path


class MachineLock:
    """An exclusive lock on a file of this machine, free again when its holder ends, however it ends.

    Processes forked while it is held share it: it is free when the last of them is gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Whether this process holds the lock now.

        Never waits. Raises OSError where the file cannot be opened.
        """
        if self._descriptor is not None:
            return True
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go of the lock; nothing happens where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
