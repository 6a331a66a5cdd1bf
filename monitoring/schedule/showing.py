"""What `/metrics` says of the schedule: the rows, as a thread beside the scrape read them last."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connections
from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.health.readings import Reading, Status
from monitoring.health.watcher import Watcher
from monitoring.schedule.models import ScheduleRun

# Name of the metric → column, and what it says.
_FAMILIES = {
    "kf_schedule_last_run_timestamp_seconds": ("ended_at", "End of the last run, in seconds of Unix time"),
    "kf_schedule_last_success_timestamp_seconds": ("succeeded_at", "End of the last run that did not fail"),
    "kf_schedule_next_slot_timestamp_seconds": ("next_at", "When the function is due next"),
    "kf_schedule_last_duration_seconds": ("duration_ms", "Duration of the last run"),
    "kf_schedule_failures_in_row": ("failures_in_row", "Runs that failed since the last that did not"),
}


def _read() -> Sequence[Reading]:
    try:
        return [
            Reading(name=f"{metric}:{run.name}", status=Status.PASS, time=run.next_at, is_required=False, value=value)
            for run in ScheduleRun.objects.order_by("name")
            for metric, (column, _) in _FAMILIES.items()
            if (value := _number(getattr(run, column), column)) is not None
        ]
    finally:
        connections["default"].close()


def _number(value: datetime | float | None, column: str) -> float | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).timestamp()
    return value / 1000 if value is not None and column == "duration_ms" else value


watcher = Watcher(_read, overdue=("schedule:read", False))
os.register_at_fork(after_in_child=watcher.forget)


def families(*, until: float | None = None) -> list[Metric]:
    """One sample a function in each; none while the database does not answer."""
    found = {name: GaugeMetricFamily(name, text, labels=("entry",)) for name, (_, text) in _FAMILIES.items()}
    for reading in watcher.readings(until=until):
        metric, _, entry = reading.name.partition(":")
        if metric in found and reading.value is not None:
            found[metric].add_metric((entry,), reading.value)
    return [family for family in found.values() if family.samples]
