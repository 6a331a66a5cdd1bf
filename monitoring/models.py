"""The tables of monitoring on one page."""

from monitoring.rollups.models import MetricPoint, MetricSeries

__all__ = ["MetricPoint", "MetricSeries"]
