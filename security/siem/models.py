"""One row: how far the log was forwarded, whose turn it is, and since when the receiver does not take it."""

from datetime import datetime, timedelta

from django.db import models


def is_over(since: datetime | None, now: datetime, after: timedelta) -> bool:
    """Whether `after` has passed, or nothing ever began."""
    return since is None or now - since >= after


class AuditForward(models.Model):
    """How far the log has gone.

    Syslog acknowledges nothing, so what was sent lately may have died with the receiver: `settled_index` is where to
    begin again after an outage. `settling_index` becomes it a minute after `settling_at`.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next_index = models.BigIntegerField(default=0)
    settled_index = models.BigIntegerField(default=0)
    settling_index = models.BigIntegerField(default=0)
    settling_at = models.DateTimeField(null=True)
    holder = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_forward"

    def __str__(self) -> str:
        return f"forwarded up to {self.next_index}"

    def settled_at(self, now: datetime, *, after: timedelta) -> int:
        """Where to begin again at `now`: whatever was sent less than `after` ago may be lost."""
        if is_over(self.sent_at, now, after):
            return self.next_index
        return self.settling_index if is_over(self.settling_at, now, after) else self.settled_index
