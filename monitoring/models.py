"""The tables of monitoring on one page."""

from monitoring.alerts.models import AlertEvaluator, AlertSilence, AlertState
from monitoring.database.models import RecordedStatement
from monitoring.errors.models import ErrorGroup
from monitoring.rollups.models import MetricPoint, MetricSeries

__all__ = [
    "AlertEvaluator",
    "AlertSilence",
    "AlertState",
    "ErrorGroup",
    "MetricPoint",
    "MetricSeries",
    "RecordedStatement",
]
