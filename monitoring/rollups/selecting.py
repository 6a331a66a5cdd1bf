"""Which series are meant: a name and what their labels say. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]


class Key(NamedTuple):
    """Name and labels, sorted by name, of one series. A histogram is a series for each bucket, with its label `le`."""

    name: str
    labels: Labels


def labels_of(mapping: Mapping[str, str]) -> Labels:
    """Labels in the form in which they are compared and kept."""
    return tuple(sorted(mapping.items()))


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
    """Estimate of the `q`-quantile (0 to 1) from pairs of `le` and how many fell into that bucket alone.

    `bounds` are those of all buckets, of which the empty ones may be missing in `counts`. Linear inside the bucket, as
    Prometheus does it; the largest finite bound for what lies beyond it. None for nothing.
    """
    by_bound = dict.fromkeys(bounds, 0.0)
    for text, count in counts:
        by_bound[float(text)] = by_bound.get(float(text), 0.0) + count
    wanted = sum(by_bound.values()) * q
    if not wanted:
        return None
    below, lower = 0.0, 0.0
    for bound, count in sorted(by_bound.items()):
        if bound == float("inf"):
            break
        if count and below + count >= wanted:
            return lower + (bound - lower) * (wanted - below) / count
        below, lower = below + count, bound
    return lower
