"""Reads the numbers of a period from the roll-ups, in slots of equal width: two statements, however long it is."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Max, Sum

from monitoring.rollups import MetricDay, MetricPoint, MetricSeries, Selector
from monitoring.rollups.selecting import Labels, labels_of

_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Period:
    """`seconds` back from now in slots of `width` seconds; `step` is how fine the points are that fill them."""

    slug: str
    title: str
    seconds: int
    step: int
    width: int


# Between 120 and 240 slots: no more can be told apart on a screen, and each slot costs a row of every series.
PERIODS = {
    period.slug: period
    for period in (
        Period("1h", "1 hour", 3600, 10, 30),
        Period("1d", "1 day", _DAY, 60, 600),
        Period("30d", "30 days", 30 * _DAY, 3600, 3 * 3600),
        Period("400d", "400 days", 400 * _DAY, _DAY, 2 * _DAY),
    )
}


@dataclass(slots=True)
class History:
    """By slot: `starts` are Unix times; of a series the totals, and the largest value of a gauge."""

    starts: Sequence[int]
    seconds: Sequence[int]  # of each slot; the last is not over
    totals: dict[str, dict[Labels, dict[int, float]]] = field(default_factory=lambda: defaultdict(dict))
    peaks: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    def sums(self, name: str, having: Labels = ()) -> list[float]:
        """What all series of `name` that have `having` came to in each slot."""
        meant = [slots for labels, slots in self.totals.get(name, {}).items() if Selector(name, having).matches(labels)]
        return [sum(slots.get(start, 0.0) for slots in meant) for start in self.starts]

    def most(self, name: str) -> list[float | None]:
        """The largest value of a gauge in each slot; None where none was told."""
        told = self.peaks.get(name, {})
        return [told.get(start) for start in self.starts]

    def buckets(self, name: str) -> list[list[tuple[str, float]]]:
        """Pairs of `le` and how many fell into that bucket alone, of each slot."""
        by_bound = [(dict(labels)["le"], slots) for labels, slots in self.totals.get(name, {}).items()]
        return [[(bound, slots[start]) for bound, slots in by_bound if start in slots] for start in self.starts]


def read_history(period: Period, now: datetime, names: Iterable[str]) -> History:
    """Everything of `names` in `period` up to `now`."""
    end = int(now.timestamp())
    first = end - period.seconds
    first -= first % period.width
    starts = range(first, end + 1, period.width)
    found = History(starts, [max(1, min(period.width, end - start)) for start in starts])
    rows = MetricSeries.objects.filter(name__in=list(names)).values_list("pk", "name", "labels")
    known = {pk: (name, labels_of(dict(json.loads(labels)))) for pk, name, labels in rows}
    slot = F("at") - F("at") % period.width
    points = MetricDay.objects.all() if period.step == _DAY else MetricPoint.objects.filter(step=period.step)
    inside = points.filter(series__in=list(known), at__gte=first, at__lte=end).order_by()
    for pk, start, total, most in inside.values_list("series", slot).annotate(Sum("value"), Max("value")):
        name, labels = known[pk]
        found.totals[name].setdefault(labels, {})[start] = total
        found.peaks[name][start] = max(most, found.peaks[name].get(start, most))
    return found
