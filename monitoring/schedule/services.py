"""Writes down runs of the schedule, and says which functions are overdue. One statement a run."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from monitoring.schedule.models import Outcome, ScheduleRun

_INTERVALS_MISSED = 2
# A worker that died is given up after 30 seconds and its slot taken over within the next 10: that is no missed slot.
_LEAST_LATE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Slot:
    """When a function is due next, and how far apart its slots are."""

    name: str
    next_at: datetime
    interval_seconds: int


def expect(slots: Iterable[Slot]) -> None:
    """Make a row for each function that has none, so that one that never runs is missed too; forget all others.

    The time at which a known function was due stays: what was missed while nobody ran it, was missed.
    """
    rows = [ScheduleRun(name=s.name, next_at=s.next_at, interval_seconds=s.interval_seconds) for s in slots]
    ScheduleRun.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["name"], update_fields=["interval_seconds"]
    )
    ScheduleRun.objects.exclude(name__in=[row.name for row in rows]).delete()


def note_run(slot: Slot, *, started_at: datetime, ended_at: datetime, seconds: float, fault: str = "") -> None:
    """Write down a run that ended, with the kind of the exception in `fault` where it failed. Raises DatabaseError."""
    last = {
        "started_at": started_at,
        "ended_at": ended_at,
        "duration_ms": round(seconds * 1000, 2),
        "outcome": Outcome.FAILED if fault else Outcome.SUCCESS,
        "fault": fault[:60],
        "next_at": slot.next_at,
        "interval_seconds": slot.interval_seconds,
        **({} if fault else {"succeeded_at": ended_at}),
    }
    counted = F("failures_in_row") + 1 if fault else 0
    if not ScheduleRun.objects.filter(pk=slot.name).update(**last, failures_in_row=counted):
        first = ScheduleRun(name=slot.name, **last, failures_in_row=int(bool(fault)))
        ScheduleRun.objects.bulk_create([first], ignore_conflicts=True)


def is_overdue(run: ScheduleRun, now: datetime) -> bool:
    """Whether its slot was missed by more than two intervals, a minute at least: it hangs, or nobody runs it."""
    return now - run.next_at > max(_INTERVALS_MISSED * timedelta(seconds=run.interval_seconds), _LEAST_LATE)


def overdue(now: datetime) -> list[ScheduleRun]:
    """The functions that are, by name."""
    return [run for run in ScheduleRun.objects.order_by("name") if is_overdue(run, now)]
