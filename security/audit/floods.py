"""Keeps a flood of one refusal from filling the disk: one event a client, kind and minute in each process."""

import threading
import time
from collections import OrderedDict

from security.client_ip import network_of

WINDOW_SECONDS = 60.0
_REMEMBERED = 4096


class Windows:
    """Which keys were told of within the last minute. Bounded: the oldest are forgotten first. Thread-safe."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def is_first(self, client: str, kind: str) -> bool:
        """Whether (`client`, `kind`) has no window open; opens one if so."""
        key, now = (network_of(client), kind), time.monotonic()
        with self._lock:
            told = self._told.get(key)
            if told is not None and now - told < WINDOW_SECONDS:
                return False
            self._told[key] = now
            self._told.move_to_end(key)
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
            return True

    def forget(self) -> None:
        """Close every window."""
        with self._lock:
            self._told.clear()


windows = Windows()
