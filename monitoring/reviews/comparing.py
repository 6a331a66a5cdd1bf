"""Judges a week of a route against the weeks before. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitoring.rollups.selecting import Labels, quantile

# By how much p95 must be worse: a part of itself, since routes differ, and so many milliseconds, since below that
# nobody feels it and a bucket's width decides. And how many requests both sides need for a p95 to mean anything.
WORSE_BY_RATIO, WORSE_BY_MS, LEAST_REQUESTS = 1.25, 20.0, 100

Buckets = Mapping[Labels, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteWeek:
    """A route's week; times in milliseconds, None where too few requests came. `failed` is a ratio."""

    method: str
    route: str
    requests: int
    failed: float
    p95_ms: float | None
    p95_before_ms: float | None

    @property
    def is_regression(self) -> bool:
        """Whether it takes longer than in the weeks before, by so much that somebody should look."""
        if self.p95_ms is None or self.p95_before_ms is None:
            return False
        more = self.p95_ms - self.p95_before_ms
        return more >= WORSE_BY_MS and self.p95_ms >= WORSE_BY_RATIO * self.p95_before_ms


def compare(week: Buckets, before: Buckets, *, bounds: Iterable[float]) -> list[RouteWeek]:
    """Routes of `week`, regressions first, then the busiest. Both are counts by labels (method, route, class, le)."""
    bounds = tuple(bounds)
    now, then = _by_route(week), _by_route(before)
    routes = [
        RouteWeek(
            method=method,
            route=route,
            requests=int(sum(count for _, _, count in counts)),
            failed=_failed(counts),
            p95_ms=_p95(counts, bounds),
            p95_before_ms=_p95(then.get((method, route), []), bounds),
        )
        for (method, route), counts in now.items()
    ]
    return sorted(routes, key=lambda one: (not one.is_regression, -one.requests, one.route))


Counts = list[tuple[str, str, float]]


def _by_route(buckets: Buckets) -> dict[tuple[str, str], Counts]:
    found: dict[tuple[str, str], Counts] = {}
    for labels, count in buckets.items():
        named = dict(labels)
        key = named["method"], named["route"]
        found.setdefault(key, []).append((named["le"], named["status_class"], count))
    return found


def _p95(counts: Counts, bounds: tuple[float, ...]) -> float | None:
    if sum(count for _, _, count in counts) < LEAST_REQUESTS:
        return None
    seconds = quantile(((bound, count) for bound, _, count in counts), 0.95, bounds=bounds)
    return None if seconds is None else round(seconds * 1000, 1)


def _failed(counts: Counts) -> float:
    whole = sum(count for _, _, count in counts)
    return round(sum(count for _, status, count in counts if status == "5xx") / whole, 5) if whole else 0.0
