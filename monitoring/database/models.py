"""Rows of what was run on the databases: one a statement, by fingerprint, without its values. Bounded in number."""

from typing import ClassVar

from django.db import models


class RecordedStatement(models.Model):
    """What all processes saw of one statement since `first_seen_at`; times in milliseconds.

    `shapes` says of each `$n` of `text` what kind of value stands there (see `shapes.py`). `route` and `call_site` are
    of the last request that ran it slowly or over and over.
    """

    id = models.BigAutoField(primary_key=True)
    alias = models.CharField(max_length=50)
    fingerprint = models.CharField(max_length=16)
    operation = models.CharField(max_length=10)
    text = models.TextField()
    calls = models.BigIntegerField()
    total_ms = models.FloatField()
    max_ms = models.FloatField()
    rows = models.BigIntegerField(default=0)
    slow_calls = models.BigIntegerField(default=0)
    repeats = models.BigIntegerField(default=0)  # requests that ran it ten times or more from one place
    route = models.CharField(max_length=200, blank=True)
    call_site = models.CharField(max_length=300, blank=True)
    shapes = models.JSONField(default=list)
    plan = models.JSONField(null=True)
    plan_hash = models.CharField(max_length=16, blank=True)
    planned_at = models.DateTimeField(null=True)
    plan_changed_at = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        db_table = "monitoring_statement"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alias", "fingerprint"], name="monitoring_statement_once")
        ]

    def __str__(self) -> str:
        return f"{self.alias} {self.fingerprint}"

    @property
    def mean_ms(self) -> float:
        """Milliseconds of one call."""
        return self.total_ms / self.calls if self.calls else 0.0
