"""The thread that brings failures to the database every two seconds, beside the requests, as `store.py` says."""

import logging
import threading

from django.db import DatabaseError, close_old_connections, connections

from monitoring.errors.store import flush_errors

logger = logging.getLogger("monitoring.errors")

INTERVAL_SECONDS = 2.0


class ErrorFlusher(threading.Thread):
    """A daemon: a database that hangs must not keep the process from ending."""

    def __init__(self, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        super().__init__(name="errors", daemon=True)
        self._interval = interval_seconds
        self._ended = threading.Event()
        self._is_failing = False

    def run(self) -> None:
        try:
            while not self._ended.wait(self._interval):
                self.step()
        finally:
            connections.close_all()

    def step(self) -> None:
        """Flush once, and say so where that begins to fail. Without its exception, which would be one more to bring."""
        close_old_connections()
        try:
            flush_errors()
        except DatabaseError as error:
            if not self._is_failing:
                logger.warning("errors_not_kept", extra={"error": type(error).__name__})
            self._is_failing = True
        else:
            self._is_failing = False
        finally:
            close_old_connections()  # one of a pool goes back at once: its others are for requests

    def stop(self, *, timeout_seconds: float) -> None:
        """Ask the thread to end, and wait for it."""
        self._ended.set()
        self.join(timeout_seconds)


def start_error_flusher() -> ErrorFlusher:
    """Start the thread in this process; call it once, after the last fork."""
    flusher = ErrorFlusher()
    flusher.start()
    return flusher
