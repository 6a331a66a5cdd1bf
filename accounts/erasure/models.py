"""What keeps an erasure from being whole: the holds that stand, and what is kept sealed while they do."""

from datetime import date

from django.db import models
from django.db.models import Q

from accounts.identity.models import new_id
from security.audit import AuditClass
from security.crypto import EncryptedTextField, SubjectKey


class Basis(models.TextChoices):
    """Why something must be kept that its owner wants erased."""

    LOGS = "logs"  # DPDP Rules 2025, rules 6(1)(e) and 8(3): logs and the personal data in them
    BOOKS = "books"  # Companies (Accounts) Rules 2014, rule 3(1), and Companies Act 2013, s. 128(5): the edit log
    DISPUTE = "dispute"  # a court, an authority, a claim: for as long as somebody says

    @property
    def term_days(self) -> int | None:
        """Days that the law counts from the last event about somebody; None where no law counts."""
        kept_as = {Basis.LOGS: AuditClass.AUTH, Basis.BOOKS: AuditClass.BOOKS}.get(self)
        return None if kept_as is None else kept_as.retention_days


class LegalHoldQuerySet(models.QuerySet["LegalHold"]):
    """Named questions about holds."""

    def standing(self, today: date) -> "LegalHoldQuerySet":
        """Not lifted, and not over. One with a term of law is over for nobody who is not erased yet."""
        is_over = Q(basis=Basis.DISPUTE, until__lt=today)
        return self.filter(lifted_at__isnull=True).exclude(is_over)


class LegalHold(models.Model):
    """An order to keep the key of a person, or of a company and everybody in it, when they are erased.

    `until` is the last day (UTC) on which it stands; with a term of law it can only lengthen that. `reason` names a
    ticket and no person.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subject = models.ForeignKey(SubjectKey, on_delete=models.PROTECT, related_name="+")
    basis = models.CharField(max_length=7, choices=Basis.choices)
    until = models.DateField(null=True)
    reason = models.CharField(max_length=100)
    placed_by = models.CharField(max_length=64)
    placed_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)

    objects = LegalHoldQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.basis} hold {self.pk}"

    @property
    def term_days(self) -> int | None:
        """As of its basis."""
        return Basis(self.basis).term_days

    @property
    def ends(self) -> str:
        """When, in words, as far as the hold itself says."""
        if self.until:
            return f"until {self.until}"
        return "until it is lifted" if self.term_days is None else f"{self.term_days} days from the last event"


class Withheld(models.Model):
    """Somebody erased under a hold: `identity` is JSON of what their row said, sealed under the key that is kept.

    `until` is the last day (UTC) of the terms of law that ran at the erasure, which no later lifting shortens; None
    where only disputes keep the key.
    """

    subject = models.OneToOneField(SubjectKey, primary_key=True, on_delete=models.PROTECT, related_name="+")
    identity = EncryptedTextField()
    until = models.DateField(null=True)
    erased_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.subject_id)
