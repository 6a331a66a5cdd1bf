"""The runs of the security audit that are kept. What they found is decided elsewhere."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7


class SecurityAuditRun(models.Model):
    """One run. `findings` and `troubles` are lists of JSON objects, `verified` the ids of the rules that answered.

    A row names people and companies by id only, and holds no secret.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    version = models.CharField(max_length=40)
    environment = models.CharField(max_length=20)
    findings = models.JSONField()
    troubles = models.JSONField()
    verified = models.JSONField()
    critical = models.PositiveIntegerField()
    high = models.PositiveIntegerField()
    medium = models.PositiveIntegerField()
    low = models.PositiveIntegerField()

    objects: ClassVar[models.Manager["SecurityAuditRun"]] = models.Manager()

    class Meta:
        db_table = "security_audit_run"
        ordering = ["-pk"]  # UUIDv7: the newest first

    def __str__(self) -> str:
        return f"{timezone.localtime(self.started_at):%Y-%m-%d %H:%M}"
