"""Looks each second whether 1,000 events wait for their seal, and has them sealed before the schedule's next slot.

Beside the schedule, in the process that runs it, so that no request counts anything. It seals nothing itself.
"""

from collections.abc import Callable

from monitoring.periodic import PeriodicThread
from security.tlog import first_of_full_batch

EVERY_SECONDS = 1.0


class SealWatch(PeriodicThread):
    """The looking thread; `hurry` asks the schedule to seal now."""

    def __init__(self, hurry: Callable[[], object]) -> None:
        super().__init__(name="seal watch", interval_seconds=EVERY_SECONDS)
        self._hurry = hurry
        self._asked_for: int | None = None

    def work(self) -> None:
        """Ask once for each batch: where sealing stands still, its slot every ten seconds is often enough."""
        first = first_of_full_batch()
        if first is not None and first != self._asked_for:
            self._hurry()
        self._asked_for = first
