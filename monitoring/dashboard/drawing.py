"""Turns the lines of a panel into the numbers of an SVG: paths, a scale, and words for who sees none. Pure.

No style stands in the drawing: the policy of our pages lets none in, and the style sheet gives colours for both themes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from monitoring.dashboard.panels import Line, Panel

WIDTH, HEIGHT = 480, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 22
_TICKS_DOWN, _TICKS_ACROSS = 4, 4
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line as drawn, and what it comes to; None for a line without a single value. `last` is the last one known."""

    name: str
    path: str
    last: float | None
    least: float | None
    mean: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """`ticks` are (y, value), `times` are (x, Unix time)."""

    panel: Panel
    strokes: tuple[Stroke, ...]
    ticks: tuple[tuple[float, float], ...]
    times: tuple[tuple[float, int], ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the whole period."""
        return all(stroke.most is None for stroke in self.strokes)


def draw(panel: Panel) -> Drawing:
    """`panel` to scale: from 0 up to a round number above all its values."""
    known = [value for line in panel.lines for value in line.values if value is not None]
    top = round_up(max(known, default=0.0))
    slots = len(panel.starts)
    ticks = [(_y(top * part / _TICKS_DOWN, top), top * part / _TICKS_DOWN) for part in range(_TICKS_DOWN + 1)]
    marks = sorted({round((slots - 1) * part / _TICKS_ACROSS) for part in range(_TICKS_ACROSS)})
    times = [(_x(slot, slots), panel.starts[slot]) for slot in marks]
    return Drawing(panel, tuple(_stroke(line, top) for line in panel.lines), tuple(ticks), tuple(times))


def round_up(most: float) -> float:
    """The next round number at or above `most`: 1, 2, 2.5 or 5 times a power of ten; 1 for nothing."""
    if most <= 0 or not math.isfinite(most):
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in _STEPS if step * power >= most * (1 - 1e-9))


def path(values: Sequence[float | None], top: float) -> str:
    """The line through `values`, broken where nothing is known; a value alone is a dot."""
    drawn, pen = [], "M"
    across = (WIDTH - LEFT - RIGHT) / max(1, len(values) - 1)
    down = (HEIGHT - TOP - BOTTOM) / top
    for slot, (value, after) in enumerate(pairwise([*values, None])):
        if value is None:
            pen = "M"
            continue
        alone = "h0" if pen == "M" and after is None else ""
        drawn.append(f"{pen}{round(LEFT + across * slot, 1):g} {round(HEIGHT - BOTTOM - down * value, 1):g}{alone}")
        pen = "L"
    return "".join(drawn)


def _stroke(line: Line, top: float) -> Stroke:
    known = [value for value in line.values if value is not None]
    if not known:
        return Stroke(line.name, "", None, None, None, None)
    return Stroke(line.name, path(line.values, top), known[-1], min(known), sum(known) / len(known), max(known))


def _x(slot: int, slots: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * slot / max(1, slots - 1), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)
