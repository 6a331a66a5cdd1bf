"""Counting: what is counted, in which file of which process, and how it is read out."""

from monitoring.metrics.registry import Metrics, metrics

__all__ = ["Metrics", "metrics"]
