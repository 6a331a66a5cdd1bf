"""What a rule's expression comes to, asked of a source. Pure: the source is passed in."""

from dataclasses import dataclass
from typing import Protocol

from monitoring.alerts.rules import (
    Absence,
    Events,
    Expression,
    Gauge,
    Growth,
    GrowthRatio,
    Outage,
    Peak,
    Quantile,
    Rate,
    Ratio,
    Scope,
)
from monitoring.rollups import Selector


class Source(Protocol):
    """Where numbers come from. Windows are seconds back from now."""

    def is_heard(self) -> bool:
        """Whether any process has told its counts of late. Else nothing may be concluded from there being none."""

    def total(self, selector: Selector, seconds: int) -> float: ...

    def quantile(self, selector: Selector, q: float, seconds: int) -> float | None: ...

    def peak(self, selector: Selector, seconds: int) -> float | None: ...

    def growth(self, selector: Selector, seconds: int) -> float | None: ...

    def gauge(self, name: str) -> float | None:
        """None where it does not exist here: on another database, or with nothing configured."""

    def events(self, types: tuple[str, ...], seconds: int, scope: Scope, *, is_each: bool) -> float: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """`value` is held against the threshold, `calm` against where it clears; they differ for a ratio alone.

    None is not known: a rule stays as it is.
    """

    value: float | None
    calm: float | None


UNKNOWN = Measured(None, None)


def measure(expression: Expression, source: Source) -> Measured:
    """What `expression` comes to."""
    if isinstance(expression, Absence):
        value: float | None = 0.0 if source.total(expression.of, expression.seconds) else 1.0
    elif isinstance(expression, Events):
        value = source.events(expression.types, expression.seconds, expression.scope, is_each=expression.is_each)
    elif isinstance(expression, Gauge):
        value = source.gauge(expression.name)
    elif isinstance(expression, Outage) or not source.is_heard():
        return UNKNOWN
    elif isinstance(expression, Ratio):
        return _ratio(expression, source)
    elif isinstance(expression, Rate):
        value = source.total(expression.of, expression.seconds)
    elif isinstance(expression, Quantile):
        value = _quantile(expression, source)
    elif isinstance(expression, Peak):
        value = source.peak(expression.of, expression.seconds)
    elif isinstance(expression, Growth):
        value = source.growth(expression.of, expression.seconds)
    elif isinstance(expression, GrowthRatio):
        value = _growth_ratio(expression, source)
    return Measured(value, value)


def _ratio(expression: Ratio, source: Source) -> Measured:
    every = (*expression.windows, expression.calm)
    parts = [source.total(expression.part, seconds) for seconds in every]
    # Most of the time there is nothing to divide, and the whole, the larger question, need not be asked.
    if not any(parts):
        return Measured(0.0, 0.0)
    wholes = [source.total(expression.whole, seconds) for seconds in every]
    if expression.less is not None:
        less = [source.total(expression.less, seconds) for seconds in every]
        parts = [max(0.0, part - taken) for part, taken in zip(parts, less, strict=True)]
        wholes = [max(0.0, whole - taken) for whole, taken in zip(wholes, less, strict=True)]
    *ratios, calm = (part / whole if whole else 0.0 for part, whole in zip(parts, wholes, strict=True))
    return Measured(min(ratios) if max(parts[:-1]) >= expression.least else 0.0, calm)


def _growth_ratio(expression: GrowthRatio, source: Source) -> float | None:
    whole = source.growth(expression.whole, expression.seconds)
    part = source.growth(expression.part, expression.seconds)
    if whole is None or part is None:
        return None
    return part / whole if whole >= max(expression.least, 1) else 0.0


def _quantile(expression: Quantile, source: Source) -> float:
    if source.total(expression.of, expression.seconds) < expression.least:
        return 0.0
    return source.quantile(expression.of, expression.q, expression.seconds) or 0.0
