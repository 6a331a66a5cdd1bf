"""What the shared cache may say about a session: that it is revoked, never that it lives.

Falls to the row: a cache that is away, slow or full says nothing, and the row (always read) decides. A breaker
keeps a dead cache from costing every request its time-out.
"""

import logging
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.core.cache import caches
from django.db import transaction
from redis.exceptions import RedisError

from security.breaker import breaker

logger = logging.getLogger(__name__)


def revocation_key(session_id: UUID) -> str:
    """Key of the cache alias `security` under which a session is marked as revoked."""
    return f"revoked:{session_id.hex}"


def is_known_revoked(session_id: UUID) -> bool:
    """True when the cache says so; False means nothing at all."""
    if breaker.is_open():
        return False
    try:
        revoked = caches["security"].get(revocation_key(session_id)) is not None
    except RedisError as error:
        breaker.failed()
        logger.warning("revocation_cache_unavailable", extra={"error": type(error).__name__})
        return False
    breaker.succeeded(is_found=revoked)
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
    entries = {revocation_key(session_id): 1 for session_id in session_ids}
    try:
        caches["security"].set_many(entries, timeout=settings.ACCESS_TOKEN_SECONDS + 60)
        breaker.succeeded()
    except RedisError as error:
        # Open to nothing: the row says revoked, and every request reads the row.
        breaker.failed()
        logger.warning("revocation_cache_unavailable", extra={"error": type(error).__name__})
