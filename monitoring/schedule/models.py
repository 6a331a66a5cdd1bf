"""One row a function of the schedule, written by whoever ran it last: the thread in the server, or a worker."""

from django.db import models


class Outcome(models.TextChoices):
    """How a run ended."""

    SUCCESS = "success"
    FAILED = "failed"


class ScheduleRun(models.Model):
    """The last run of a function, and when the next is due.

    `fault` is the kind of the exception, never its text, which may name people. Before the first run all but the name,
    `next_at` and `interval_seconds` are empty.
    """

    name = models.CharField(primary_key=True, max_length=40)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    duration_ms = models.FloatField(null=True)
    outcome = models.CharField(max_length=7, choices=Outcome.choices, blank=True)
    fault = models.CharField(max_length=60, blank=True)
    failures_in_row = models.IntegerField(default=0)
    succeeded_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField()
    interval_seconds = models.IntegerField()

    class Meta:
        db_table = "schedule_run"
        verbose_name_plural = "schedule"

    def __str__(self) -> str:
        return self.name
