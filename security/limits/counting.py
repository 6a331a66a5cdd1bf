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
    """Counters of this process: the embedded server's, and everybody's while Redis is away. Thread-safe, bounded."""

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._counters: OrderedDict[str, list[float]] = OrderedDict()

    def count(self, wanted: list[Wanted]) -> list[int]:
        """Add one to each; the counts then."""
        now, counts = time.time(), []
        with self._lock:
            for key, life in wanted:
                counter = self._counters.get(key)
                if counter is None or counter[1] <= now:
                    counter = self._counters[key] = [0, now + life]
                    self._counters.move_to_end(key)
                counter[0] += 1
                counts.append(int(counter[0]))
            while len(self._counters) > self._size:
                self._counters.popitem(last=False)
        return counts

    def learn(self, wanted: list[Wanted], counts: list[int], *, share: int) -> None:
        """What Redis counted: this process goes on from its part, one of `share`, if the next answer does not come.

        From nothing, whoever had used up a limit could use it up once more whenever Redis is slow for a moment.
        """
        now = time.time()
        with self._lock:
            for (key, life), count in zip(wanted, counts, strict=True):
                counter = self._counters.setdefault(key, [0, now + life])
                counter[0] = max(counter[0], count // share)
            while len(self._counters) > self._size:
                self._counters.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._counters.clear()


local_counters = LocalCounters()


class _SharedCounters:
    """Counters in Redis, by one script."""

    def __init__(self) -> None:
        self._script: Any = None

    def count(self, wanted: list[Wanted], *, asked: str) -> list[int] | None:
        """Add one to each, unless `asked` (a key of the alias `security`, or "") is there: then None.

        Raises redis.RedisError.
        """
        cache = cast(Any, caches["security"])
        client = cache.client.get_client(write=True)
        if self._script is None:
            self._script = client.register_script(_SCRIPT)
        keys = [key for key, _ in wanted]
        if asked:
            keys.append(cache.make_key(asked))
        *counts, is_there = self._script(keys, [life for _, life in wanted], client=client)
        return None if is_there else counts


shared_counters = _SharedCounters()
