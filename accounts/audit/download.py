"""Bytes that are made while they are sent: how many at once, how long, and only as long as their reader may have them.

What is sent is the caller's matter.
"""

import errno
import logging
import threading
import time
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings

from accounts.sessions.models import Session
from accounts.sessions.standing import is_standing
from security.errors import Busy

logger = logging.getLogger("accounts.audit")

# A client that reads a byte now and then holds a thread; a million events take a minute.
MOST_SECONDS = 600
CHECK_SECONDS = 1.0
_RETRY_SECONDS = 30


class _Places:
    """Who downloads in this process: a quarter of the threads at most, and each reader one at a time. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[UUID] = set()
        self._lock = threading.Lock()

    def take(self, reader: UUID) -> None:
        """Raises Busy."""
        with self._lock:
            if reader in self._taken or len(self._taken) >= self._most:
                raise Busy("Another download is running. Try again when it has ended.", retry_after=_RETRY_SECONDS)
            self._taken.add(reader)

    def free(self, reader: UUID) -> None:
        with self._lock:
            self._taken.discard(reader)


places = _Places(max(1, settings.WEB_THREADS // 4))


class Download:
    """An iterator over `pieces` that ends the connection, not the file, when its time is over or `session` has ended.

    So a client sees that its file was cut. `reader` is whose downloads are counted together. Raises Busy.
    """

    def __init__(self, pieces: Iterator[bytes], *, session: Session, reader: UUID) -> None:
        places.take(reader)
        self._pieces, self._session, self._reader = pieces, session, reader
        self._ends_at = time.monotonic() + MOST_SECONDS
        self._checked_at = time.monotonic()
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        now = time.monotonic()
        if now >= self._ends_at:
            raise self._cut("time")
        if now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            if not is_standing(self._session):
                raise self._cut("session")
        return piece

    def close(self) -> None:
        """Give the place back. The server calls it at the end, however that came."""
        if self._is_open:
            self._is_open = False
            places.free(self._reader)

    def _cut(self, reason: str) -> OSError:
        logger.warning("audit_download_cut", extra={"reason": reason, "session": str(self._session.pk)})
        # What the server takes for a connection that is gone: it closes, and says nothing more.
        return ConnectionResetError(errno.ECONNRESET, f"the download was cut: {reason}")
