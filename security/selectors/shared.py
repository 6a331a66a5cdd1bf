"""What all processes keep together, in Redis or, on the embedded server, in the one process. JSON, and nothing else.

Falls open: whatever Redis fails, or holds that none of us wrote, the caller reads the database. Two keys belong to
each entry: the entry, marked with the version that it was read under, and that version. A change puts another version
in place, so that an entry whose reading began before it is never believed.
"""

import json
import logging
import random
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.cache import caches
from redis.exceptions import RedisError

from security.breaker import breaker, cache_asked

logger = logging.getLogger(__name__)

# Of what the entries look like. Raise it with a change of their form: two releases may run at once.
SCHEMA = 1
JITTER = 0.1
# Longer than any entry lives. A version that is gone makes an entry unbelievable, never believed again.
VERSION_SECONDS = 24 * 3600
# Whoever reads for all may die: then another does.
LOCK_SECONDS = 5
_A_VERSION = re.compile("[0-9a-f]{16}")


class SharedUnavailable(Exception):  # noqa: N818 - named for what happened
    """Redis is away; the breaker knows."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is there: the version in force, and the entry's `text` where it was read under that version."""

    version: str
    text: str | None = None
    is_fresh: bool = False


class Shared:
    """The entries. `see`, `keep` and `lock` raise SharedUnavailable. Thread-safe."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Owe nothing."""
        self._owed: set[str] = set()

    def see(self, name: str, key: str, is_answer: Callable[[Any], bool]) -> Seen:
        """One round trip, two where nobody asked for a day. What none of us wrote is deleted, as if not there."""
        if key in self._owed and not self.renew(name, key):
            raise SharedUnavailable
        for _ in range(2):
            try:
                return self._look(name, key, is_answer)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                cache_asked.send(sender=None, cache=name, result="error")
                _tell(name, "selector_cache_unreadable", error)
                # The version too: bytes that are no JSON do not tell whose they are, and to lose it costs one reading.
                self._call(name, "delete_many", [_entry(key), _version(key)])
        raise SharedUnavailable  # somebody writes it as fast as we delete it

    def _look(self, name: str, key: str, is_answer: Callable[[Any], bool]) -> Seen:
        """What is there. ValueError, KeyError, TypeError or RecursionError where none of us wrote it."""
        entry_key, version_key = _entry(key), _version(key)
        found = self._call(name, "get_many", [entry_key, version_key])
        version, entry = found.get(version_key), found.get(entry_key)
        if version is None:
            # The first one counts: two that each believed their own would not see each other's changes.
            self._call(name, "add", version_key, secrets.token_hex(8), timeout=VERSION_SECONDS)
            version, entry = self._call(name, "get_many", [version_key]).get(version_key), None
        if not _A_VERSION.fullmatch(version):
            raise ValueError("no version")
        if entry is None or entry["version"] != version:
            return Seen(version)
        text, until = entry["text"], entry["until"]
        if not isinstance(text, str) or type(until) not in (int, float) or not is_answer(json.loads(text)):
            raise ValueError("no answer")
        return Seen(version, text, is_fresh=time.time() < until)

    def keep(self, name: str, key: str, text: str, *, version: str, seconds: float) -> None:
        """Keep `text` as read under `version`: fresh for `seconds` less up to a tenth, stale for as long again."""
        # So that what was read at once does not end at once.
        fresh = seconds * (1 - JITTER * random.random())  # noqa: S311 - spreads load, hides nothing
        entry = {"version": version, "text": text, "until": time.time() + fresh}
        self._call(name, "set", _entry(key), entry, timeout=int(2 * seconds))

    def lock(self, name: str, key: str) -> bool:
        """Whether it is the caller's to read for all processes."""
        return bool(self._call(name, "add", f"{key}:lock", 1, timeout=LOCK_SECONDS))

    def unlock(self, name: str, key: str) -> None:
        """Let others read. Where Redis fails, the lock ends by itself."""
        try:
            self._call(name, "delete", f"{key}:lock")
        except SharedUnavailable:
            return

    def renew(self, name: str, key: str) -> bool:
        """Put a new version in place; whether Redis took it. Else this process does it before it looks again."""
        try:
            self._call(name, "set", _version(key), secrets.token_hex(8), timeout=VERSION_SECONDS)
        except SharedUnavailable:
            self._owed.add(key)
            return False
        self._owed.discard(key)
        return True

    def _call(self, name: str, method: str, *args: Any, **options: Any) -> Any:
        if breaker.is_open():
            raise SharedUnavailable
        try:
            answer = getattr(caches["default"], method)(*args, **options)
        except RedisError as error:
            breaker.failed(cache=name)
            _tell(name, "selector_cache_unavailable", error)
            raise SharedUnavailable from error
        breaker.succeeded()
        return answer


def _tell(name: str, event: str, error: Exception) -> None:
    logger.warning(event, extra={"cache": name, "error": type(error).__name__})


def _entry(key: str) -> str:
    return f"{key}:entry"


def _version(key: str) -> str:
    return f"{key}:version"


shared = Shared()
