"""The arithmetic of the bench: percentiles, which rounds count, and the line that states a figure. Pure."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

# Workers share one listening socket. Where one of two got nearly all connections, the same code costs 20 to 70 %
# more CPU a request (threads handing the interpreter's lock around): such a round compares luck, not code.
LARGEST_SHARE = 0.72


def percentile(values: Sequence[float], point: float) -> float:
    """The smallest value that at least `point` (0 to 1) of all values do not exceed. Raises ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(point * len(ordered)) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line that fits best (least squares)."""
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def is_balanced(seconds_by_process: Sequence[float]) -> bool:
    """Whether no process of a server used more than 72 % of the CPU that all of them used."""
    total = sum(seconds_by_process)
    return total > 0 and max(seconds_by_process) <= LARGEST_SHARE * total


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What one server did in one slice of time; CPU in seconds, latencies in milliseconds."""

    requests: int
    seconds: float
    worker_cpu: tuple[float, ...]
    postgres_cpu: float
    p50: float
    p99: float

    @property
    def cpu_us(self) -> float:
        """Server CPU a request, in microseconds."""
        return sum(self.worker_cpu) / self.requests * 1e6

    @property
    def postgres_us(self) -> float:
        """PostgreSQL's CPU a request, in microseconds."""
        return self.postgres_cpu / self.requests * 1e6

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Round:
    """One slice of the product and one of the stock peer, taken one after the other."""

    product: Slice
    stock: Slice

    @property
    def counts(self) -> bool:
        """Whether both servers spread their connections."""
        return is_balanced(self.product.worker_cpu) and is_balanced(self.stock.worker_cpu)

    def ratio(self, name: str) -> float:
        """Product to stock of one of Slice's numbers."""
        return float(getattr(self.product, name)) / float(getattr(self.stock, name))


def pooled_postgres_ratio(rounds: Sequence[Round]) -> float:
    """Product to stock of PostgreSQL's CPU a request, over all rounds together.

    Not by round: each of its processes tells its CPU in steps of 10 ms, and in one slice many have used only a few.
    """
    ours, theirs = [one.product for one in rounds], [one.stock for one in rounds]
    per_request = [sum(s.postgres_cpu for s in side) / sum(s.requests for s in side) for side in (ours, theirs)]
    return round(per_request[0] / per_request[1], 2)


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median, least and greatest."""
    numbers = {"median": median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in numbers.items()}


def line(
    name: str,
    measured: Any,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    judged: float | None = None,
    rounds: int,
    **facts: Any,
) -> str:
    """One JSON line. `judged` is the number held against the bar; where there is no bar, `pass` is null."""
    is_met: bool | None = None
    bar = ""
    if judged is not None and at_most is not None:
        is_met, bar = judged <= at_most, f"<= {at_most}"
    elif judged is not None and at_least is not None:
        is_met, bar = judged >= at_least, f">= {at_least}"
    return json.dumps({"id": name, "measured": measured, "bar": bar, "pass": is_met, "rounds": rounds, **facts})
