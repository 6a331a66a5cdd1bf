"""Where the evaluator's numbers come from: the roll-ups, the audit log, and what it measures itself.

One source is one run: each question is asked of the database once, and its work is bounded in time.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Count, Q, QuerySet

from monitoring.alerts.gauges import ABOUT, GAUGES, database_counts
from monitoring.alerts.grouping import Seen
from monitoring.alerts.rules import Scope
from monitoring.rollups import BEATS, Reader, Selector, keep_gauges
from security.audit import CLOCKS, AuditEvent, least_id

logger = logging.getLogger("monitoring.alerts")

# Of an event whose transaction was long, or whose host's clock is behind.
_LATE = timedelta(seconds=30)
_HEARD_WITHIN_SECONDS = 60
_BACK_AT_MOST = timedelta(days=1)
BUDGET_SECONDS = 10.0
_COLUMNS = {Scope.ADDRESS: "address_index", Scope.ACCOUNT: "target", Scope.READER: "actor"}


class NotMeasured(RuntimeError):  # noqa: N818 - named for what happened
    """What a rule asks for could not be had in this run."""


class DatabaseSource(Reader):
    """What the product knows at `now`. `last` is when the evaluator was last through."""

    def __init__(self, now: datetime, *, last: datetime | None = None) -> None:
        super().__init__(now)
        self._last = last or now
        self._ends = time.monotonic() + BUDGET_SECONDS
        self._has_counts = True
        self._gauges: dict[str, float | None] = {}
        self._lasts: dict[datetime, int] = {}

    def is_out_of_time(self) -> bool:
        """Whether this run has used up its time; what is left waits for the next."""
        return time.monotonic() > self._ends

    def keep_counts(self) -> None:
        """Keep what the database has counted so far, whose growth rules look at. Nothing on SQLite."""
        try:
            counts = database_counts()
            if counts:
                keep_gauges(counts, at=self.now)
        except DatabaseError:
            self._has_counts = False
            logger.warning("alert_counts_not_kept", exc_info=True)

    def growth(self, selector: Selector, seconds: int) -> float | None:
        """As the reader's. Raises NotMeasured where nothing new was kept: no growth would be no news."""
        if not self._has_counts:
            raise NotMeasured("the database's counts were not kept")
        return super().growth(selector, seconds)

    def is_heard(self) -> bool:
        """Whether any process has flushed within the last minute."""
        return self.total(Selector(BEATS), _HEARD_WITHIN_SECONDS) > 0

    def gauge(self, name: str) -> float | None:
        """What is measured under `name`. Raises KeyError for a name that is none."""
        if name not in self._gauges:
            self._gauges[name] = GAUGES[name](self.now)
        return self._gauges[name]

    def about(self, name: str) -> tuple[str, ...]:
        """Which ones the gauge `name` is the worst of; () for one that is by itself."""
        return tuple(ABOUT[name](self.now)) if name in ABOUT else ()

    def events(self, types: tuple[str, ...], seconds: int, scope: Scope, *, is_each: bool) -> float:
        """Audit events of `types`: all, or those of the address, account or reader that has most of them."""
        events = self._since(self.window_start(seconds, is_each=is_each), types)
        if scope is Scope.ALL:
            return float(events.count())
        column = _COLUMNS[scope]
        most = (
            events.exclude(**{column: None})
            .order_by()
            .values(column)
            .annotate(times=Count("pk"))
            .order_by("-times")
            .values_list("times", flat=True)
            .first()
        )
        return float(most or 0)

    def window_start(self, seconds: int, *, is_each: bool) -> datetime:
        """Where a window of events begins."""
        start = self.now - timedelta(seconds=seconds)
        return max(min(start, self._last - _LATE), self.now - _BACK_AT_MOST) if is_each else start

    def seen(self, types: tuple[str, ...], since: datetime) -> Seen:
        """All events of `types` since then. One that names nobody is of a subject of its own."""
        events = self._since(since, types).order_by()
        nobody = Q(actor=None, target=None)
        counts = events.aggregate(all=Count("pk"), alone=Count("pk", filter=nobody))
        subjects = events.exclude(nobody).values("actor", "target").distinct().count()
        return Seen(since=since, events=counts["all"], subjects=subjects + counts["alone"])

    def _since(self, start: datetime, types: tuple[str, ...]) -> "QuerySet[AuditEvent]":
        # By type and row id there is an index; by type and time there is none.
        return AuditEvent.objects.filter(type__in=types, pk__gt=self._last_before(start), occurred_at__gte=start)

    def _last_before(self, start: datetime) -> int:
        """Row id below which every event is older than `start`."""
        if start not in self._lasts:
            older = AuditEvent.objects.filter(event_id__lt=least_id(start, margin=-CLOCKS)).order_by("-event_id")
            self._lasts[start] = older.values_list("pk", flat=True).first() or 0
        return self._lasts[start]
