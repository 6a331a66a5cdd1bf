"""Tables of alerting: where each alert stands, which are silenced, and when the evaluator last came through."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7

from monitoring.alerts.machine import Status

LONGEST = timedelta(days=30)  # a silence


class AlertState(models.Model):
    """The alert of one rule: where it stands (`machine.py`) and what was told of it (`grouping.py`).

    `evaluated_at` is when it last had its turn, `missed_since` since when it has waited for an answer in vain
    (`asking.py`). Where each event counts: `counted_from` is since when they are counted while it fires,
    `told_subjects` of how many whom the last message told.
    """

    rule = models.CharField(primary_key=True, max_length=40)
    status = models.CharField(max_length=8, choices=[(status.value, status.value) for status in Status])
    since = models.DateTimeField(null=True)
    fired_at = models.DateTimeField(null=True)
    clear_since = models.DateTimeField(null=True)
    value = models.FloatField(null=True)
    evaluated_at = models.DateTimeField()
    missed_since = models.DateTimeField(null=True)
    told = models.CharField(max_length=8, blank=True)
    told_at = models.DateTimeField(null=True)
    counted_from = models.DateTimeField(null=True)
    told_subjects = models.IntegerField(null=True)

    class Meta:
        db_table = "alert_state"

    def __str__(self) -> str:
        return f"{self.rule} {self.status}"


class AlertSilenceQuerySet(models.QuerySet["AlertSilence"]):
    """Questions about silences."""

    def standing(self, now: datetime) -> "AlertSilenceQuerySet":
        """Those that hold now."""
        return self.filter(ended_at=None, until__gt=now)


class AlertSilence(models.Model):
    """Alerts that fit `rule`, `family` and `severity` (each "" for any) are not told until `until`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.CharField(max_length=40, blank=True)
    family = models.CharField(max_length=20, blank=True)
    severity = models.CharField(max_length=10, blank=True)
    author = models.CharField(max_length=100)
    reason = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = AlertSilenceQuerySet.as_manager()

    class Meta:
        db_table = "alert_silence"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="alert_silence_names_something", condition=~Q(rule="", family="", severity="")),
            models.CheckConstraint(name="alert_silence_ends", condition=Q(until__lte=F("created_at") + LONGEST)),
        ]

    def __str__(self) -> str:
        return f"{self.what} until {self.until.isoformat(timespec='minutes')}"

    @property
    def what(self) -> str:
        """All that an alert must be, for people."""
        if self.rule:
            return ", ".join(filter(None, (self.rule, self.family, self.severity)))
        whole = f"all of {self.family}" if self.family else "all"
        return f"{whole} that are {self.severity}" if self.severity else whole


class AlertEvaluator(models.Model):
    """The one row that whoever evaluates holds, and when it was last through."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    evaluated_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "alert_evaluator"

    def __str__(self) -> str:
        return f"{self.evaluated_at}"
