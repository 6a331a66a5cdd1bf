"""Exports of the audit log that somebody asked for at the API: what is in one, not its bytes."""

from django.db import models

from accounts.identity.models import Company, new_id
from security.audit import Wanted
from security.tlog import AuditCheckpoint, Only


class AuditExport(models.Model):
    """A recipe: events of a time under a checkpoint, in one form.

    The log only grows: it gives the same bytes, until retention takes some of its events out, and then none.

    `company` is whose events they are, None for the whole log, which staff auditors take. `until` itself is left out.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    checkpoint = models.ForeignKey(AuditCheckpoint, on_delete=models.PROTECT, related_name="+", db_index=False)
    form = models.CharField(max_length=8)
    financial_year = models.CharField(max_length=7, blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["company", "-created_at", "-id"], name="audit_export_newest")]

    def __str__(self) -> str:
        return f"{self.form} of {self.financial_year or self.since}"

    def wanted(self) -> Wanted:
        """The search for its events."""
        return Wanted(since=self.since, until=self.until, company=self.company.subject_id if self.company else None)

    def selection(self) -> Only | None:
        """Which of the events from its first to its last a bundle has: of the whole log all, None, so that none is
        missed unseen.
        """
        if self.company is None:
            return None
        subject = self.company.subject_id
        return lambda event: event.company == subject and self.since <= event.occurred_at < self.until
