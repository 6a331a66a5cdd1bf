"""The thread that brings failures to the database every two seconds, beside the requests, as `store.py` says."""

from monitoring.errors.store import flush_errors
from monitoring.periodic import PeriodicThread

INTERVAL_SECONDS = 2.0


class ErrorFlusher(PeriodicThread):
    """What fails in it is a failure too, brought by a later round; told of once, so that it feeds no loop."""

    def __init__(self) -> None:
        super().__init__(name="errors", interval_seconds=INTERVAL_SECONDS)

    def work(self) -> None:
        flush_errors()


def start_error_flusher() -> ErrorFlusher:
    """Start the thread in this process; call it once, after the last fork."""
    flusher = ErrorFlusher()
    flusher.start()
    return flusher
