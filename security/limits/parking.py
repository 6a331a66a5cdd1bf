"""Holds an answer back without letting many threads wait: what slows a guesser must not stop the server."""

import threading
import time

from django.conf import settings


class _Parking:
    """Who waits in this process: one thread for each, a quarter of all threads at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parked: set[str] = set()

    def enter(self, whom: str) -> bool | None:
        """True: wait, then leave. None: there is no place, others have them. False: the same one waits already."""
        with self._lock:
            if whom in self._parked:
                return False
            if len(self._parked) >= max(1, settings.WEB_THREADS // 4):
                return None
            self._parked.add(whom)
            return True

    def leave(self, whom: str) -> None:
        with self._lock:
            self._parked.discard(whom)


_parking = _Parking()


def hold_back(seconds: float, *, whom: str) -> bool:
    """Wait; False where an earlier answer to `whom` is held back still.

    Nobody waits where SLOW_DOWN is off, or where strangers have all the places: they must not decide for others, and
    the limit itself still holds.
    """
    if not settings.SLOW_DOWN:
        return True
    place = _parking.enter(whom)
    if place:
        try:
            time.sleep(seconds)
        finally:
            _parking.leave(whom)
    return place is not False
