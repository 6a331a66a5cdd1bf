"""What this process keeps for a second, and who of its threads reads what is missing."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

# How old an answer of another worker may be after a change: its own is dropped at once, of others nobody tells it.
LIFE_SECONDS = 1.0
MOST_KEPT = 1_000


class Flight:
    """One read that is under way. `text` is what it gave; None when it ended without, and each waiter looks again."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.text: str | None = None


class Local:
    """Texts by key, each for a second, the longest unused out first; and one reader a key. Thread-safe."""

    def __init__(self, *, most: int = MOST_KEPT, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._clock = most, clock
        self.forget()

    def forget(self) -> None:
        """Start afresh, as a forked child must: the lock and the flights belong to threads that it does not have."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._flights: dict[str, Flight] = {}

    def take(self, key: str) -> tuple[str | None, Flight, bool]:
        """What is kept under `key`; else the flight that reads it, and whether it is the caller's, to `land` it."""
        with self._lock:
            text, until = self._kept.get(key, (None, 0.0))
            if text is not None and self._clock() < until:
                self._kept.move_to_end(key)
                return text, Flight(), False
            flight = self._flights.get(key)
            if flight is not None:
                return None, flight, False
            flight = self._flights[key] = Flight()
            return None, flight, True

    def keep(self, key: str, flight: Flight, text: str) -> None:
        """Keep what `flight` found and wake who waits for it, though it may go on.

        Not kept where the key was dropped since it began: it may have read what stood before the change.
        """
        with self._lock:
            if self._flights.get(key) is flight:
                self._kept[key] = (text, self._clock() + LIFE_SECONDS)
                self._kept.move_to_end(key)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        flight.text = text
        flight.done.set()

    def land(self, key: str, flight: Flight) -> None:
        """End a flight, also one that failed."""
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.done.set()

    def drop(self, key: str) -> None:
        """Forget `key`; whoever asks from now on does not join a flight that began before."""
        with self._lock:
            self._kept.pop(key, None)
            self._flights.pop(key, None)


local = Local()
os.register_at_fork(after_in_child=local.forget)
