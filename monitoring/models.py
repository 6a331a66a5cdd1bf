"""The tables of monitoring on one page."""

from monitoring.alerts.models import AlertEvaluator, AlertSilence, AlertState
from monitoring.backups.models import LastBackup
from monitoring.database.models import RecordedStatement
from monitoring.errors.models import ErrorGroup
from monitoring.reviews.models import PerformanceReview
from monitoring.rollups.models import MetricDay, MetricPoint, MetricSeries
from monitoring.schedule.models import ScheduleRun

__all__ = [
    "AlertEvaluator",
    "AlertSilence",
    "AlertState",
    "ErrorGroup",
    "LastBackup",
    "MetricDay",
    "MetricPoint",
    "MetricSeries",
    "PerformanceReview",
    "RecordedStatement",
    "ScheduleRun",
]
