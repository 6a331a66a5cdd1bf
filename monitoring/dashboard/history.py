"""Reads the numbers of a period from the roll-ups, in slots of equal width: two statements, however long it is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitoring.rollups import MetricSeries, Selector, read_slots
from monitoring.rollups.models import Kind
from monitoring.rollups.selecting import Labels, labels_in

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
    """By slot: `starts` are Unix times; of a counter the total, of a gauge the largest value of all its series."""

    starts: Sequence[int]
    seconds: Sequence[int]  # of each slot; the last is not over
    totals: dict[str, dict[Labels, list[float]]] = field(default_factory=lambda: defaultdict(dict))
    peaks: dict[str, list[float | None]] = field(default_factory=dict)

    def sums(self, name: str, having: Labels = ()) -> list[float]:
        """What all series of `name` that have `having` came to in each slot."""
        meant = [slots for labels, slots in self.totals[name].items() if Selector(name, having).matches(labels)]
        return list(map(sum, zip(*meant, strict=True))) if meant else [0.0] * len(self.starts)

    def most(self, name: str) -> list[float | None]:
        """The largest value of a gauge in each slot; None where none was told."""
        return self.peaks.get(name) or [None] * len(self.starts)

    def buckets(self, name: str, bounds: Iterable[float]) -> dict[float, list[float]]:
        """How many fell into each bucket alone in each slot, by its bound, ascending; `bounds` are never missing."""
        found = {bound: [0.0] * len(self.starts) for bound in bounds}
        found |= {float(dict(labels)["le"]): slots for labels, slots in self.totals[name].items()}
        return dict(sorted(found.items()))


def read_history(period: Period, now: datetime, names: Iterable[str]) -> History:
    """Everything of `names` in `period` up to `now`."""
    end = int(now.timestamp())
    first = end - period.seconds
    first -= first % period.width
    starts = range(first, end + 1, period.width)
    found = History(starts, [max(1, min(period.width, end - start)) for start in starts])
    counters: dict[int, list[float]] = {}
    gauges: dict[int, list[float | None]] = {}
    rows = MetricSeries.objects.filter(name__in=list(names)).values_list("pk", "name", "labels", "kind")
    for pk, name, labels, kind in rows:
        if kind == Kind.SUM:
            counters[pk] = found.totals[name][labels_in(labels)] = [0.0] * len(starts)
        else:
            gauges[pk] = found.peaks.setdefault(name, [None] * len(starts))
    points = read_slots(period.step, [*counters, *gauges], first=first, end=end, width=period.width)
    for pk, slot, total, most in points:
        if pk in counters:
            counters[pk][slot] = total
        elif (known := gauges[pk][slot]) is None or most > known:
            gauges[pk][slot] = most
    return found
