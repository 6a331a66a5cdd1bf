"""Waiting for what another thread or process does: no test sleeps for as long as it should take."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], *, what: str, seconds: float = 60) -> None:
    """Look until `condition` holds. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)
