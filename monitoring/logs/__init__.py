"""Log lines: what they look like, what they may hold, and where they go."""

from monitoring.logs.formatter import JsonFormatter
from monitoring.logs.stream import LineHandler, begin_serving

__all__ = ["JsonFormatter", "LineHandler", "begin_serving"]
