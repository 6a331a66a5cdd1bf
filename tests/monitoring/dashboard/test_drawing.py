"""Lines become paths: to scale, broken where nothing is known, and told in words. Pure."""

import pytest

from monitoring.dashboard import Line, Panel, draw
from monitoring.dashboard.drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, path, round_up

pytestmark = pytest.mark.embedded


def a_panel(*lines: Line, slots: int = 5) -> Panel:
    return Panel("p", "P", "a second", range(0, 60 * slots, 60), lines)


class TestScale:
    """From 0 to a round number at or above the largest value."""

    @pytest.mark.parametrize(
        ("most", "top"),
        [
            (0, 1),
            (-3, 1),
            (float("nan"), 1),
            (0.07, 0.1),
            (1, 1),
            (1.01, 2),
            (2.2, 2.5),
            (3, 5),
            (51, 100),
            (1000, 1000),
        ],
    )
    def test_round_numbers(self, most, top):
        assert round_up(most) == pytest.approx(top)

    def test_the_largest_value_stands_at_or_below_the_top_and_zero_at_the_foot(self):
        drawing = draw(a_panel(Line("a", [0, 5, 10, 5, 0])))
        [stroke] = drawing.strokes
        assert stroke.path == f"M46 148L{46 + 426 / 4:g} 78L259 8L365.5 78L472 148"
        assert (drawing.ticks[0], drawing.ticks[-1]) == ((HEIGHT - BOTTOM, 0), (TOP, 10))
        assert (LEFT, WIDTH - RIGHT) == (46, 472)


class TestGaps:
    """What is not known is not drawn as nothing."""

    def test_a_gap_breaks_the_line(self):
        assert path([1, 1, None, 1, 1], 1).count("M") == 2

    def test_a_value_alone_is_a_dot(self):
        assert path([None, 1, None], 1) == "M259 8h0"

    def test_a_line_without_a_value_is_empty(self):
        drawing = draw(a_panel(Line("a", [None] * 5)))
        assert drawing.is_empty
        assert drawing.strokes[0].path == ""

    def test_what_is_said_of_a_line(self):
        [stroke] = draw(a_panel(Line("a", [1, None, 3, 2, None]))).strokes
        assert (stroke.last, stroke.least, stroke.mean, stroke.most) == (2, 1, 2, 3)
