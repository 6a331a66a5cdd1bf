"""Which series are meant: a name and what their labels say. Pure."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]


class Key(NamedTuple):
    """Name and labels, sorted by name, of one series. A histogram is a series for each bucket, with its label `le`."""

    name: str
    labels: Labels


def labels_of(mapping: Mapping[str, str]) -> Labels:
    """Labels in the form in which they are compared and kept."""
    return tuple(sorted(mapping.items()))


def labels_in(text: str) -> Labels:
    """Labels as the row of a series holds them: JSON of pairs, sorted."""
    return tuple((name, value) for name, value in json.loads(text))


@dataclass(frozen=True, slots=True)
class Selector:
    """All series of `name` whose labels hold all of `having`, and none of `without`."""

    name: str
    having: Labels = ()
    without: Labels = ()

    def matches(self, labels: Labels) -> bool:
        """Whether a series of the same name with `labels` is meant."""
        held = frozenset(labels)
        return held.issuperset(self.having) and held.isdisjoint(self.without)


def quantile(counts: Iterable[tuple[str, float]], q: float, *, bounds: Iterable[float] = ()) -> float | None:
    """The estimate of `quantiles` at `q` (0 to 1) from pairs of `le` and how many fell into that bucket alone.

    `bounds` are those of all buckets, of which the empty ones may be missing in `counts`.
    """
    by_bound = dict.fromkeys(bounds, 0.0)
    for text, count in counts:
        by_bound[float(text)] = by_bound.get(float(text), 0.0) + count
    ordered = sorted(by_bound)
    return next(quantiles([by_bound[bound] for bound in ordered], (q,), bounds=ordered))


def quantiles(counts: Iterable[float], points: Iterable[float], *, bounds: Sequence[float]) -> Iterator[float | None]:
    """Estimates of the quantiles at `points` (each 0 to 1) from how many fell into each bucket alone.

    `bounds` ascend, one a bucket. Linear inside the bucket, as Prometheus does it; the largest finite bound for what
    lies beyond it. None for nothing.
    """
    reached = list(accumulate(counts))
    for q in points:
        wanted = reached[-1] * q if reached else 0.0
        if not wanted:
            yield None
            continue
        at = bisect_left(reached, wanted)
        lower, below = (bounds[at - 1], reached[at - 1]) if at else (0.0, 0.0)
        within = 0.0 if bounds[at] == inf else (wanted - below) / (reached[at] - below)
        yield lower + (bounds[at] - lower) * within if within else lower
