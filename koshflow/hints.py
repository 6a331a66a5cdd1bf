"""Tells the workers of the schedule that something waits and need not wait for its slot. PostgreSQL only."""

import logging

from django.db import Error
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException

from koshflow.jobs import defer_now
from koshflow.schedule import DELIVERY
from security.outbox import message_queued

logger = logging.getLogger("koshflow.schedule")


def connect_hints() -> None:
    """Have each queued message hint its delivery. A second call changes nothing."""
    message_queued.connect(hint_delivery, dispatch_uid="delivery hint")


def hint_delivery(**_signal: object) -> None:
    """Have a worker deliver now instead of at its next slot."""
    hint(DELIVERY)


def hint(name: str) -> None:
    """Have a worker run entry `name` now.

    Only a hint: whatever goes wrong, the slot of the schedule comes within seconds.
    """
    try:
        defer_now(name)
    except AlreadyEnqueued:
        return  # a run that has not begun yet will see what we saw too
    except (ProcrastinateException, Error):
        logger.warning("schedule_hint_failed", extra={"entry": name}, exc_info=True)
