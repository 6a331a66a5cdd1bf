"""Which requests are slow: by the clock, or beside what is usual for their route. It keeps nothing but durations."""

import threading
from collections import deque

SLOW_SECONDS = 1.0
# Below this nobody waits, however unusual it is.
NOTICED_SECONDS = 0.05
TIMES_P95 = 5.0
_KEPT = 200
LEAST_KEPT = 20
MOST_ROUTES = 500


class Usual:
    """The last 200 durations of each method, route and class of status, in this process: refusals are quick, and beside
    many of them no answer would look usual. Thread-safe; keys are our own words.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._durations: dict[tuple[str, str, int], deque[float]] = {}

    def is_slow(self, key: tuple[str, str, int], seconds: float) -> bool:
        """Whether a request of `key` that took `seconds` is slow: over one second, or over 5 times its own p95.

        It counts for those after it.
        """
        durations = self._durations.get(key)
        if durations is None:
            with self._lock:
                if len(self._durations) >= MOST_ROUTES:
                    return seconds > SLOW_SECONDS
                durations = self._durations.setdefault(key, deque(maxlen=_KEPT))
        is_slow = seconds > SLOW_SECONDS or (
            seconds > NOTICED_SECONDS and len(durations) >= LEAST_KEPT and seconds > TIMES_P95 * _p95(durations)
        )
        durations.append(seconds)
        return is_slow


def _p95(durations: deque[float]) -> float:
    # A copy in one step: other threads append meanwhile.
    ordered = sorted(durations.copy())
    return ordered[int(len(ordered) * 0.95)]
