"""Tells that the database is away, past the database: the states and the outbox lie in what is missing.

One process of a host tells, the one that gets a file lock; several hosts may each tell once. It hears after each flush
whether the database took it, and knows nothing else.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from django.conf import settings

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.grouping import Alert
from monitoring.alerts.machine import Standing, Status
from monitoring.alerts.messages import document
from monitoring.alerts.rules import Outage
from monitoring.channels import configured_channels, tell_at_once
from security.machine_lock import MachineLock
from security.outbox import DeliveryFailed

logger = logging.getLogger("monitoring.alerts")

_AGAIN_SECONDS = 60.0
_LONGEST_SECONDS = 30 * 60.0
[RULE] = [rule for rule in RULES if isinstance(rule.expression, Outage)]


class OutageWatch:
    """Called after each flush of its process, in that thread. Waits for receivers there, which holds up nobody else."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self._fired_at: datetime | None = None
        self._lock = MachineLock(settings.DATA_DIR / "outage.lock")
        self._told: set[str] = set()
        self._over_at: datetime | None = None
        self._may_try_at, self._wait_seconds = 0.0, _AGAIN_SECONDS

    def __call__(self, is_taken: bool) -> None:  # noqa: FBT001 - the one thing it hears
        if is_taken:
            self._end()
            return
        if self._since is None:
            self._since, self._over_at = self._clock(), None
            self._may_try_at, self._wait_seconds = self._clock(), _AGAIN_SECONDS
        if self._clock() - self._since < RULE.threshold or not settings.ALERTS or not self._is_ours():
            return
        if self._fired_at is None:
            self._fired_at = datetime.now(UTC)
            logger.error("database_unreachable")
        if self._clock() >= self._may_try_at:
            self._tell([name for name in configured_channels() if name not in self._told], Status.FIRING)

    def _end(self) -> None:
        self._since = None
        if self._fired_at is None:
            return
        # At once, and by the channels that heard of it. Whoever does not take it is asked again, ever later: the
        # database is well, and this thread brings it what the process counts.
        if self._over_at is None:
            self._over_at, self._may_try_at = datetime.now(UTC), self._clock()
        if self._told and self._clock() >= self._may_try_at:
            self._tell(sorted(self._told), Status.RESOLVED)
            self._wait_seconds = min(2 * self._wait_seconds, _LONGEST_SECONDS)
        if not self._told:
            self._fired_at = None
            self._lock.release()

    def _tell(self, channels: list[str], status: Status) -> None:
        said = self._said(status)
        for channel in channels:
            try:
                tell_at_once(channel, said)
            except (DeliveryFailed, LookupError) as error:
                logger.warning("alert_past_outbox_failed", extra={"channel": channel}, exc_info=error)
                continue
            (self._told.add if status is Status.FIRING else self._told.discard)(channel)
        self._may_try_at = self._clock() + self._wait_seconds

    def _said(self, status: Status) -> dict[str, Any]:
        seconds = 0.0 if self._since is None else self._clock() - self._since
        since = self._over_at or self._fired_at
        return document(
            [Alert(rule=RULE, standing=Standing(status=status, since=since, fired_at=self._fired_at, value=seconds))],
            installation=settings.PUBLIC_URL,
            runbooks=settings.ALERT_RUNBOOKS_URL,
            now=datetime.now(UTC),
        )

    def _is_ours(self) -> bool:
        """Whether this process tells for its host."""
        try:
            return self._lock.acquire()
        except OSError:
            return True  # a disk that is full too: rather twice than not at all
