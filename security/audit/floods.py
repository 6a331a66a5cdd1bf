"""Keeps a flood of one refusal from filling the disk: one event a client, kind and minute in each process.

The first refusal of a minute is told at once, since no refusal may be answered unmarked; those that follow it are
counted, and the count goes into the next event of the kind. What is counted when a process ends, or when nothing
follows, is told by no event: the access log has those requests.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from security.client_ip import network_of

WINDOW_SECONDS = 60.0
_REMEMBERED = 4096


@dataclass(slots=True)
class _Window:
    """Opened at a monotonic time; `repeats` came since then."""

    opened: float
    repeats: int = 0


class Windows:
    """Which keys were told of within the last minute. Bounded: the oldest are forgotten first. Thread-safe."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._lock = threading.Lock()

    def repeats_to_tell(self, client: str, kind: str) -> int | None:
        """None while a window of (`client`, `kind`) is open: this one is counted, and needs no event.

        Else opens a window and returns how many were counted in the last one, for the event that is due now.
        """
        key, now = (network_of(client), kind), time.monotonic()
        with self._lock:
            told = self._told.get(key)
            if told is not None and now - told.opened < WINDOW_SECONDS:
                told.repeats += 1
                return None
            self._told[key] = _Window(opened=now)
            self._told.move_to_end(key)
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
            return told.repeats if told is not None else 0

    def is_first(self, client: str, kind: str) -> bool:
        """Whether (`client`, `kind`) has no window open; opens one if so."""
        return self.repeats_to_tell(client, kind) is not None

    def forget(self) -> None:
        """Close every window."""
        with self._lock:
            self._told.clear()


windows = Windows()
