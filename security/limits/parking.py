"""Holds an answer back without letting many threads wait: what slows a guesser must not stop the server."""

import threading
import time

from django.conf import settings


class _Parking:
    """How many threads of this process wait at once: a quarter of them at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parked = 0

    def enter(self) -> bool:
        with self._lock:
            if self._parked >= max(1, settings.WEB_THREADS // 4):
                return False
            self._parked += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._parked -= 1


_parking = _Parking()


def hold_back(seconds: float) -> bool:
    """Wait, unless too many threads do already (False) or SLOW_DOWN is off."""
    if not settings.SLOW_DOWN:
        return True
    if not _parking.enter():
        return False
    try:
        time.sleep(seconds)
    finally:
        _parking.leave()
    return True
