"""Counts in fixed windows, exactly, for any number of threads and processes: all of a request in one round trip.

django-ratelimit names the windows and reads the rates; its own counting is two or three round trips a limit, an error
500 when Redis is away, and twice the work where two limits hold. Here its cache only collects what it wants counted.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

# KEYS are counters and, last, a key that is only asked for; ARGV the counters' lives in seconds. A counter and its life
# are set in one step, so that none can outlive its window. Nothing is counted where the key that is asked for is there.
_SCRIPT = """
local counts = {}
if KEYS[#ARGV + 1] and redis.call('EXISTS', KEYS[#ARGV + 1]) == 1 then return {1} end
for number, life in ipairs(ARGV) do
  counts[number] = redis.call('INCR', KEYS[number])
  if counts[number] == 1 then redis.call('EXPIRE', KEYS[number], life) end
end
counts[#ARGV + 1] = 0
return counts
"""

Wanted = tuple[str, int]  # a counter's key, and its life in seconds
# A look at all counters takes milliseconds, and whoever makes new ones pays for none in between.
_SWEPT_EVERY_SECONDS = 60


class CollectingCache(BaseCache):
    """The cache that django-ratelimit is given (`RATELIMIT_USE_CACHE`): it writes down, and stores nothing."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._local = threading.local()

    @contextmanager
    def collecting(self) -> Iterator[list[Wanted]]:
        """What this thread wants counted within the block."""
        wanted: list[Wanted] = []
        self._local.wanted = wanted
        try:
            yield wanted
        finally:
            del self._local.wanted

    def add(self, key: str, value: Any, timeout: Any = None, version: int | None = None) -> bool:
        # AttributeError outside the block: nothing else may believe that it has counted.
        self._local.wanted.append((key, timeout))
        return True


class LocalCounters:
    """Counters of this process: the embedded server's, and everybody's while Redis is away. Thread-safe, bounded.

    Where there are too many, those go first whose window has ended, then those that counted longest ago. A limit that
    is used up outlasts those: whoever could push its counter out by asking from many addresses would have it anew. For
    that they must use up as many limits as fill half of the room; the other half is left to count who comes new.
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._open: OrderedDict[str, list[float]] = OrderedDict()
        self._used_up: OrderedDict[str, list[float]] = OrderedDict()
        self._swept = 0.0

    def count(self, wanted: list[Wanted], limits: list[int], *, share: int = 1) -> list[int]:
        """Add one to each; the counts then. Of each limit this process has one of `share` parts."""
        now, counts = time.time(), []
        with self._lock:
            for (key, life), limit in zip(wanted, limits, strict=True):
                counter = self._open.get(key)
                if counter is None or counter[1] <= now:
                    counter = self._unusual(key, life, now)
                counter[0] += 1
                counts.append(int(counter[0]))
                self._place(key, counter, is_used_up=counter[0] >= limit // share)
            self._bound(now)
        return counts

    def learn(self, wanted: list[Wanted], limits: list[int], counts: list[int], *, share: int) -> None:
        """What Redis counted: this process goes on from its part, one of `share`, if the next answer does not come.

        From nothing, whoever had used up a limit could use it up once more whenever Redis is slow for a moment.
        """
        now = time.time()
        with self._lock:
            for (key, life), limit, count in zip(wanted, limits, counts, strict=True):
                counter = self._open.get(key)
                if counter is None or counter[1] <= now:
                    counter = self._unusual(key, life, now)
                counter[0] = max(counter[0], count // share)
                self._place(key, counter, is_used_up=count >= limit)
            self._bound(now)

    def _unusual(self, key: str, life: int, now: float) -> list[float]:
        """The counter of a limit that is used up, or a new one."""
        counter = self._used_up.get(key)
        if counter is not None and counter[1] > now:
            return counter
        self._used_up.pop(key, None)
        return [0, now + life]

    def _place(self, key: str, counter: list[float], *, is_used_up: bool) -> None:
        if not is_used_up:
            self._open[key] = counter
            self._open.move_to_end(key)
        elif key not in self._used_up:
            self._open.pop(key, None)
            self._used_up[key] = counter

    def _bound(self, now: float) -> None:
        if len(self._open) + len(self._used_up) <= self._size:
            return
        if not 0 <= now - self._swept < _SWEPT_EVERY_SECONDS:
            self._swept = now
            for counters in (self._open, self._used_up):
                for key in [key for key, (_, ends) in counters.items() if ends <= now]:
                    del counters[key]
        while len(self._open) + len(self._used_up) > self._size:
            (self._used_up if len(self._used_up) > self._size // 2 else self._open).popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._open.clear()
            self._used_up.clear()


local_counters = LocalCounters()


class _SharedCounters:
    """Counters in Redis, by one script."""

    def __init__(self) -> None:
        # Made once: the script's client takes its connections from the pool that all threads share, and finding this
        # thread's own cache among Django's is dearer than anything else here.
        self._script: Any = None
        self._key_of: Any = None

    def count(self, wanted: list[Wanted], *, asked: str) -> list[int] | None:
        """Add one to each, unless `asked` (a key of the alias `security`, or "") is there: then None.

        Raises redis.RedisError.
        """
        if self._script is None:
            cache = cast(Any, caches["security"])
            self._key_of = cache.make_key
            self._script = cache.client.get_client(write=True).register_script(_SCRIPT)
        keys = [key for key, _ in wanted]
        if asked:
            keys.append(self._key_of(asked))
        *counts, is_there = self._script(keys, [life for _, life in wanted])
        return None if is_there else counts


shared_counters = _SharedCounters()
