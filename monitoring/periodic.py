"""A thread that does one thing every few seconds, beside the requests, for as long as its process lives.

Whatever a round raises costs that round alone: it is counted and told of, and the next begins in its time.
"""

import logging
import threading

from django.db import DataError, Error, IntegrityError, close_old_connections, connections

from monitoring.metrics import metrics

logger = logging.getLogger("monitoring.threads")


class PeriodicThread(threading.Thread):
    """Calls `work` every `interval_seconds`. A daemon: a database that hangs must not keep the process from ending."""

    def __init__(self, *, name: str, interval_seconds: float) -> None:
        super().__init__(name=name, daemon=True)
        self._interval = interval_seconds
        self._ended = threading.Event()
        self._told: type[Exception] | None = None

    def work(self) -> None:
        """One round's work, which may raise anything."""
        raise NotImplementedError

    def run(self) -> None:
        """Until the process ends, or somebody asks."""
        for cause in ("database", "fault"):
            metrics().thread_failures.labels(self.name, cause)  # at zero before the first
        try:
            while not self._ended.wait(self._interval):
                self.step()
        finally:
            connections.close_all()

    def step(self) -> None:
        """One round. Each failure is counted; the log has it where it begins, or becomes another."""
        close_old_connections()
        try:
            self.work()
        except Exception as error:
            # A database that is away is no fault of ours, and others say it louder.
            cause, level = ("database", logging.WARNING) if isinstance(error, Error) else ("fault", logging.ERROR)
            metrics().thread_failures.labels(self.name, cause).inc()
            if type(error) is not self._told:
                logger.log(level, "thread_round_failed", extra={"thread_name": self.name}, exc_info=error)
            self._told = type(error)
        else:
            self._told = None
        finally:
            close_old_connections()  # one of a pool goes back at once: its others are for requests

    def stop(self, *, timeout_seconds: float) -> None:
        """Ask the thread to end, and wait for it."""
        self._ended.set()
        self.join(timeout_seconds)


def is_away(error: Exception) -> bool:
    """Whether the database itself is at fault, so that all may come again; not the one row that it was given."""
    return isinstance(error, Error) and not isinstance(error, DataError | IntegrityError)
