"""Rows of failures: one a group, without what they were about. Bounded in number (`store.py`)."""

from typing import ClassVar

from django.db import models
from uuid_utils.compat import uuid7


class ErrorState(models.TextChoices):
    """Where a group stands. REGRESSED: it happened again after somebody called it resolved."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REGRESSED = "regressed"


class ErrorGroup(models.Model):
    """All failures of one fingerprint. `message` quotes nothing; `request_ids` are the last ten, newest first.

    `route`, `message` and the last release are of the last of them.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    fingerprint = models.CharField(max_length=16, unique=True)
    exception = models.CharField(max_length=200)
    message = models.CharField(max_length=500, blank=True)
    place = models.CharField(max_length=300, blank=True)
    traceback = models.JSONField(default=list)
    route = models.CharField(max_length=200, blank=True)
    request_ids = models.JSONField(default=list)
    count = models.BigIntegerField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    first_release = models.CharField(max_length=40)
    last_release = models.CharField(max_length=40)
    state = models.CharField(max_length=12, choices=ErrorState.choices, default=ErrorState.NEW)
    state_changed_at = models.DateTimeField()

    objects: ClassVar[models.Manager["ErrorGroup"]] = models.Manager()

    class Meta:
        db_table = "monitoring_error_group"
        ordering: ClassVar = ["-last_seen_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["last_seen_at"], name="monitoring_error_last_seen")]

    def __str__(self) -> str:
        return f"{self.exception} {self.fingerprint}"
