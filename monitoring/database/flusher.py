"""The thread that writes down what was recorded, every few seconds, beside the requests. What it writes: `store.py`.

A process that is killed loses at most one interval of counts, and nothing else: what the database does not take waits.
"""

from monitoring.database.plans import plan_slow_statements
from monitoring.database.pool import publish_pool
from monitoring.database.recorder import begin_silence
from monitoring.database.store import flush
from monitoring.periodic import PeriodicThread

INTERVAL_SECONDS = 7.0


class Flusher(PeriodicThread):
    """Writes and plans, and is itself recorded nowhere."""

    def __init__(self, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        super().__init__(name="statements", interval_seconds=interval_seconds)

    def run(self) -> None:
        begin_silence()
        super().run()

    def work(self) -> None:
        publish_pool()
        flush()
        plan_slow_statements()


def start_flusher() -> Flusher:
    """Start the thread in this process; call it once, after the last fork."""
    flusher = Flusher()
    flusher.start()
    return flusher
