"""Keeps a flood of one refusal from filling the disk: one event a client, kind and minute in each process.

The first refusal of a minute is told at once, since no refusal may be answered unmarked; those that follow it are
counted, and the count goes into the next event of the kind. What is counted when a process ends, or when nothing
follows, is told by no event: the access log has those requests. What costs its sender no request, and so no limit
stops, has an `Allowance` too: so many marks a minute, however many clients send.
"""

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from security.client_ip import network_of

WINDOW_SECONDS = 60.0
_REMEMBERED = 4096


@dataclass(slots=True)
class _Window:
    """Opened at a monotonic time; `repeats` came since then."""

    opened: float
    repeats: int = 0


def counted(repeats: int) -> dict[str, int]:
    """What the data of an event says of so many that were counted; nothing where there were none."""
    return {"repeats": repeats} if repeats else {}


class Windows:
    """Which keys were told of within the last minute. Bounded: the oldest are forgotten first. Thread-safe."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._lock = threading.Lock()
        self._thread = threading.local()

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
            repeats = told.repeats if told is not None else 0
        self._opened().append((key, repeats))
        return repeats

    def is_first(self, client: str, kind: str) -> bool:
        """Whether (`client`, `kind`) has no window open; opens one if so."""
        return self.repeats_to_tell(client, kind) is not None

    def reopen(self) -> None:
        """Have what this thread opened last be told by the next refusal: the event it was opened for was not written.

        Left as it is, all that follow within the minute would be answered as counted, with no event that counts them.
        """
        opened = self._opened()
        with self._lock:
            while opened:
                key, repeats = opened.pop()
                told = self._told.get(key)
                if told is not None:
                    told.opened, told.repeats = float("-inf"), told.repeats + repeats + 1

    def settle(self) -> None:
        """Note that the event for which this thread opened windows is written."""
        self._opened().clear()

    def _opened(self) -> "deque[tuple[tuple[str, str], int]]":
        # Two at most belong to one event: a kind's, and the slot that the kind was given.
        if not hasattr(self._thread, "opened"):
            self._thread.opened = deque(maxlen=2)
        return self._thread.opened

    def forget(self) -> None:
        """Close every window."""
        with self._lock:
            self._told.clear()


class Allowance:
    """How many marks a minute, whoever causes them. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._opened = float("-inf")
        self._spent = self._held_back = 0

    def spend(self) -> int | None:
        """None when the minute's marks are spent; else how many were held back since the last one, for this mark."""
        now = time.monotonic()
        with self._lock:
            if now - self._opened >= WINDOW_SECONDS:
                self._opened, self._spent = now, 0
            if self._spent >= self._most:
                self._held_back += 1
                return None
            self._spent += 1
            held_back, self._held_back = self._held_back, 0
            return held_back


windows = Windows()
