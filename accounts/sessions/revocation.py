"""What the shared cache may say about a session: that it is revoked, never that it lives.

Falls to the row: a cache that is away, slow or full says nothing, and the row (always read) decides. A breaker
keeps a dead cache from costing every request its time-out.
"""

import logging
import threading
import time
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.core.cache import caches
from django.db import transaction
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_FAILURES_TO_OPEN = 3
_OPEN_SECONDS = 5.0


class Breaker:
    """Opens for 5 s after 3 errors in a row; then one call tries, and the others wait for what it finds.

    Thread-safe, one a process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0

    def is_open(self) -> bool:
        """Whether the call should not be tried now. False obliges to try it and to tell the outcome."""
        if self._failures < _FAILURES_TO_OPEN:
            return False
        with self._lock:
            if time.monotonic() < self._open_until:
                return True
            # Ours to try. All threads at once would each lose the time-out to a frozen cache, every 5 s.
            self._open_until = time.monotonic() + _OPEN_SECONDS
            return False

    def succeeded(self) -> None:
        """The call answered."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """The call failed or timed out."""
        with self._lock:
            self._failures += 1
            self._open_until = time.monotonic() + _OPEN_SECONDS


breaker = Breaker()


def _key(session_id: UUID) -> str:
    return f"revoked:{session_id.hex}"


def is_known_revoked(session_id: UUID) -> bool:
    """True when the cache says so; False means nothing at all."""
    if breaker.is_open():
        return False
    try:
        revoked = caches["security"].get(_key(session_id)) is not None
    except RedisError as error:
        breaker.failed()
        logger.warning("revocation_cache_unavailable", extra={"error": type(error).__name__})
        return False
    breaker.succeeded()
    return revoked


def announce_on_commit(session_ids: Iterable[UUID]) -> None:
    """Tell the cache, once the row is committed, that these sessions ended."""
    ids = list(session_ids)
    if ids:
        transaction.on_commit(lambda: _announce(ids), robust=True)


def _announce(session_ids: list[UUID]) -> None:
    if breaker.is_open():
        return
    # As long as the longest access token may live; after that its own exp refuses it.
    entries = {_key(session_id): 1 for session_id in session_ids}
    try:
        caches["security"].set_many(entries, timeout=settings.ACCESS_TOKEN_SECONDS + 60)
        breaker.succeeded()
    except RedisError as error:
        # Open to nothing: the row says revoked, and every request reads the row.
        breaker.failed()
        logger.warning("revocation_cache_unavailable", extra={"error": type(error).__name__})
