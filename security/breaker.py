"""Keeps a dead cache from costing every request its time-out."""

import threading
import time

from django.dispatch import Signal

_FAILURES_TO_OPEN = 3
_OPEN_SECONDS = 5.0


# `cache`, `result`: hit, miss or error. Of each call that asked the cache for something, or that it did not answer.
cache_asked = Signal()


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

    def succeeded(self, *, is_found: bool | None = None) -> None:
        """The call answered; whether what it asked for was there, None where it asked for nothing."""
        if self._failures:
            with self._lock:
                self._failures = 0
        if is_found is not None:
            cache_asked.send(sender=None, cache="security", result="hit" if is_found else "miss")

    def failed(self, *, cache: str = "security") -> None:
        """The call failed or timed out; `cache` is what was asked, by the name under which that counts."""
        with self._lock:
            self._failures += 1
            self._open_until = time.monotonic() + _OPEN_SECONDS
        cache_asked.send(sender=None, cache=cache, result="error")


# One for the one Redis: revocations and limits learn from each other that it is away.
breaker = Breaker()
