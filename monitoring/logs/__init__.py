"""Log lines: what they look like, what they may hold, where they go, and when they go for good."""

from monitoring.logs.files import LOG, SECURITY, LineFile
from monitoring.logs.formatter import JsonFormatter
from monitoring.logs.stream import LineHandler, begin_serving

__all__ = ["LOG", "SECURITY", "JsonFormatter", "LineFile", "LineHandler", "begin_serving"]
