"""Looks each second whether 1,000 events wait for their seal, and has them sealed before the schedule's next slot.

Beside the schedule, in the process that runs it, so that no request counts anything. It seals nothing itself.
"""

import logging
import threading
from collections.abc import Callable

from django.db import DatabaseError, close_old_connections

from security.tlog import first_of_full_batch

logger = logging.getLogger("koshflow.schedule")

EVERY_SECONDS = 1.0


class SealWatch(threading.Thread):
    """The looking thread; `hurry` asks the schedule to seal now. A daemon: it ends with the process."""

    def __init__(self, hurry: Callable[[], object]) -> None:
        super().__init__(name="seal watch", daemon=True)
        self._hurry = hurry
        self._asked_for: int | None = None
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(EVERY_SECONDS):
            self.look()

    def look(self) -> None:
        """Ask once for each batch: where sealing stands still, its slot every ten seconds is often enough."""
        close_old_connections()
        try:
            first = first_of_full_batch()
        except DatabaseError:
            logger.debug("seal_watch_failed", exc_info=True)  # who needs the database beside us says it louder
            return
        if first is not None and first != self._asked_for:
            self._hurry()
        self._asked_for = first
