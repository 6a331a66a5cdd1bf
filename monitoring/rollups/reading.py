"""Answers what was counted within a time, from the roll-ups. It writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from django.db import connections, router
from django.db.models import Max, QuerySet, Sum

from monitoring.metrics import metrics
from monitoring.rollups.models import MetricPoint
from monitoring.rollups.selecting import Labels, Selector, labels_in, quantile
from monitoring.rollups.store import DAY

# Up to how many seconds back each step is read: fine enough for the window, and few enough rows.
_READ = ((600, 10), (6 * 3600, 60), (400 * 24 * 3600, 3600))


class Reader:
    """Reads windows that end at `now`; each window of a name is asked for once, however many rules look at it.

    A window of up to ten minutes is made of tens of seconds, one of up to six hours of minutes, a longer one of hours;
    it begins with the interval in which it began.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._totals: dict[tuple[str, int], list[tuple[Labels, float, float]]] = {}

    def total(self, selector: Selector, seconds: int) -> float:
        """How much was counted; a histogram's `_bucket` gives the number of observations."""
        return sum(total for _, total, _ in self._matching(selector, seconds))

    def quantile(self, selector: Selector, q: float, seconds: int) -> float | None:
        """The `q`-quantile of the histogram whose `_bucket` series are meant; None where nothing was observed."""
        counts = ((dict(labels)["le"], total) for labels, total, _ in self._matching(selector, seconds))
        return quantile(counts, q, bounds=metrics().bounds.get(selector.name.removesuffix("_bucket"), ()))

    def peak(self, selector: Selector, seconds: int) -> float | None:
        """The largest value of a gauge anywhere; None where none was told."""
        return max((most for _, _, most in self._matching(selector, seconds)), default=None)

    def growth(self, selector: Selector, seconds: int) -> float | None:
        """By how much a gauge that only grows has grown; None where none was told."""
        points = self._points(selector.name, seconds).order_by("series", "at").values_list("series__labels", "value")
        by_series: dict[str, list[float]] = defaultdict(list)
        for labels, value in points:
            if selector.matches(labels_in(labels)):
                by_series[labels].append(value)
        if not by_series:
            return None
        # What fell began anew, as the statistics of a database do that are reset.
        return max(sum(max(b - a, 0.0) for a, b in pairwise(values)) for values in by_series.values())

    def _matching(self, selector: Selector, seconds: int) -> Iterator[tuple[Labels, float, float]]:
        key = (selector.name, seconds)
        if key not in self._totals:
            rows = self._points(*key).values_list("series__labels").annotate(Sum("value"), Max("value"))
            self._totals[key] = [(labels_in(labels), total, most) for labels, total, most in rows]
        return (row for row in self._totals[key] if selector.matches(row[0]))

    def _points(self, name: str, seconds: int) -> QuerySet[MetricPoint]:
        step = next(step for most, step in _READ if seconds <= most)
        now = int(self.now.timestamp())
        start = now - seconds
        return MetricPoint.objects.filter(series__name=name, step=step, at__gte=start - start % step, at__lte=now)


# By hand: the ORM would turn each number of ten thousand rows into what it is, a third of what reading them takes.
_SLOTS = """
SELECT series_id, (at - %s) / %s, SUM(value), MAX(value) FROM {points} AND at >= %s AND at <= %s
AND series_id IN ({marks}) GROUP BY 1, 2
"""


def read_slots(
    step: int, ids: Sequence[int], *, first: int, end: int, width: int
) -> Iterable[tuple[int, int, float, float]]:
    """(id of a series, number of the slot, total, largest value): slots of `width` seconds from `first` up to `end`.

    `step` is how fine the points are that are read: 10, 60, 3600, or a day (of what has no route).
    """
    if not ids:
        return []
    points = "metric_day WHERE TRUE" if step == DAY else "metric_point WHERE step = %s"
    statement = _SLOTS.format(points=points, marks=", ".join(["%s"] * len(ids)))
    of_step = [] if step == DAY else [step]
    with connections[router.db_for_read(MetricPoint)].cursor() as cursor:
        cursor.execute(statement, [first, width, *of_step, first, end, *ids])
        return cursor.fetchall()
