"""Log lines: what they look like and what they may hold. Where they go is a setting."""

from monitoring.logs.formatter import JsonFormatter

__all__ = ["JsonFormatter"]
