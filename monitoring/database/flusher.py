"""The thread that writes down what was recorded, every few seconds, beside the requests. What it writes: `store.py`.

A process that is killed loses at most one interval of counts, and nothing else.
"""

import logging
import threading

from django.db import DatabaseError, close_old_connections, connections

from monitoring.database.plans import plan_slow_statements
from monitoring.database.pool import publish_pool
from monitoring.database.recorder import begin_silence
from monitoring.database.store import flush

logger = logging.getLogger("koshflow.database")

INTERVAL_SECONDS = 7.0


class Flusher(threading.Thread):
    """A daemon: a database that hangs must not keep the process from ending."""

    def __init__(self, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        super().__init__(name="statements", daemon=True)
        self._interval = interval_seconds
        self._ended = threading.Event()
        self._is_failing = False

    def run(self) -> None:
        begin_silence()
        try:
            while not self._ended.wait(self._interval):
                self.step()
        finally:
            connections.close_all()

    def step(self) -> None:
        """Flush once, and say so where that begins to fail or works again."""
        close_old_connections()
        publish_pool()
        try:
            flush()
            plan_slow_statements()
        except DatabaseError as error:
            # Nothing is lost: the numbers stay where they are until the database takes them.
            if not self._is_failing:
                logger.warning("statements_not_kept", exc_info=error)
            self._is_failing = True
        else:
            self._is_failing = False
        finally:
            close_old_connections()  # one of a pool goes back at once: its others are for requests

    def stop(self, *, timeout_seconds: float) -> None:
        """Ask the thread to end, and wait for it."""
        self._ended.set()
        self.join(timeout_seconds)


def start_flusher() -> Flusher:
    """Start the thread in this process; call it once, after the last fork."""
    flusher = Flusher()
    flusher.start()
    return flusher
