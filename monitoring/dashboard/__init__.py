"""The dashboard: what was counted, as panels of lines over a period, drawn on the server."""

from monitoring.dashboard.drawing import draw
from monitoring.dashboard.history import PERIODS, Period
from monitoring.dashboard.panels import SESSIONS, Line, Panel, panels

__all__ = ["PERIODS", "SESSIONS", "Line", "Panel", "Period", "draw", "panels"]
