"""Bytes that are made while they are sent: how many at once, how long, and only as long as their reader may have them.

What is sent is the caller's matter.
"""

import errno
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings

from accounts.sessions.models import Session
from accounts.sessions.standing import is_standing
from security.errors import Archived, Busy, RateLimited

logger = logging.getLogger("accounts.audit")

# A client that reads a byte now and then holds a thread; a million events take a minute.
MOST_SECONDS = 600
CHECK_SECONDS = 1.0
# Who takes less than a megabyte in ten seconds, and is ten seconds late by that, makes room for who waits.
LEAST_BYTES_A_SECOND = 100_000
MOST_BEHIND_SECONDS = 10.0
# Between two of them nothing is looked at, and a thousand events are half a megabyte.
PIECE_BYTES = 16_384
_RETRY_SECONDS = 30


class _Places:
    """Who downloads in this process, `most` at once and each reader one at a time. Thread-safe.

    One that is ended for who waits may still be within the sending of its last piece; no more than `most` are.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: set[Download] = set()
        self._lock = threading.Lock()

    def take(self, one: "Download") -> None:
        """Raises RateLimited where the reader has a place, Busy where there is none."""
        with self._lock:
            if any(other.reader == one.reader for other in self._held):
                raise RateLimited("Another download of yours is running.", retry_after=_RETRY_SECONDS)
            running = [other for other in self._held if not other.is_given_up]
            if len(running) >= self._most:
                slowest = max(running, key=lambda other: other.seconds_behind())
                if slowest.seconds_behind() < MOST_BEHIND_SECONDS or len(self._held) >= 2 * self._most:
                    raise Busy("Other downloads are running. Try again in a moment.", retry_after=_RETRY_SECONDS)
                slowest.is_given_up = True
            self._held.add(one)

    def free(self, one: "Download") -> None:
        with self._lock:
            self._held.discard(one)


class Download:
    """An iterator over `pieces` that ends the connection, not the file, when its time is over or `session` has ended.

    So a client sees that its file was cut. `reader` is whose downloads are counted together, a company or somebody of
    staff (`is_staff`), who have a place that no company takes. Raises RateLimited, Busy.
    """

    def __init__(self, pieces: Iterable[bytes], *, session: Session, reader: UUID, is_staff: bool) -> None:
        self.reader = reader
        self.is_given_up = False
        self._pieces, self._session = _small(pieces), session
        self._ends_at = time.monotonic() + MOST_SECONDS
        self._checked_at = time.monotonic()
        self._behind_seconds, self._given_bytes = 0.0, 0
        self._given_at: float | None = None
        self._places = STAFF_PLACES if is_staff else COMPANY_PLACES
        self._places.take(self)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._behind_seconds, self._given_at = self.seconds_behind(), None
        try:
            piece = next(self._pieces)
        except Archived:
            raise self._cut("archived") from None
        now = time.monotonic()
        if now >= self._ends_at:
            raise self._cut("time")
        if self.is_given_up:
            raise self._cut("slow")
        if now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            if not is_standing(self._session):
                raise self._cut("session")
        self._given_bytes, self._given_at = len(piece), now
        return piece

    def seconds_behind(self) -> float:
        """How late the reader is by LEAST_BYTES_A_SECOND. The time in which we make a piece is not theirs."""
        given_at = self._given_at
        if given_at is None:
            return self._behind_seconds
        taking_seconds = time.monotonic() - given_at
        return max(0.0, self._behind_seconds + taking_seconds - self._given_bytes / LEAST_BYTES_A_SECOND)

    @contextmanager
    def kept(self) -> Iterator["Download"]:
        """Give the place back where what is done before anything is sent fails: nobody would close it then."""
        try:
            yield self
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the place back. The server calls it at the end, however that came."""
        self._places.free(self)

    def _cut(self, reason: str) -> OSError:
        logger.warning("audit_download_cut", extra={"reason": reason, "session": str(self._session.pk)})
        # What the server takes for a connection that is gone: it closes, and says nothing more.
        return ConnectionResetError(errno.ECONNRESET, f"the download was cut: {reason}")


# A quarter of the threads, and one for staff: two companies that do not read must not keep an auditor out.
COMPANY_PLACES = _Places(max(1, settings.WEB_THREADS // 4))
STAFF_PLACES = _Places(1)


def _small(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), PIECE_BYTES):
            yield piece[start : start + PIECE_BYTES]
