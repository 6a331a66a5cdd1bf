"""What `/metrics` says of the schedule: the rows of its functions."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client.core import Metric

from monitoring.metrics.rows import families_by, numbers, watch_rows
from monitoring.schedule.models import ScheduleRun

# Name of the metric → column, and what it says.
_FAMILIES = {
    "kf_schedule_last_run_timestamp_seconds": ("ended_at", "End of the last run, in seconds of Unix time"),
    "kf_schedule_last_success_timestamp_seconds": ("succeeded_at", "End of the last run that did not fail"),
    "kf_schedule_next_slot_timestamp_seconds": ("next_at", "When the function is due next"),
    "kf_schedule_last_duration_seconds": ("duration_ms", "Duration of the last run"),
    "kf_schedule_failures_in_row": ("failures_in_row", "Runs that failed since the last that did not"),
}


def _read() -> Iterable[tuple[str, float]]:
    for run in ScheduleRun.objects.order_by("name"):
        for metric, (column, _) in _FAMILIES.items():
            value = _number(getattr(run, column), column)
            if value is not None:
                yield f"{metric}:{run.name}", value


def _number(value: datetime | float | None, column: str) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    return value / 1000 if value is not None and column == "duration_ms" else value


watcher = watch_rows("schedule:read", _read)


def families(*, until: float | None = None) -> list[Metric]:
    """One sample a function in each; none while the database does not answer."""
    return families_by("entry", {name: text for name, (_, text) in _FAMILIES.items()}, numbers(watcher, until=until))
