"""Rows that wait to go out. How they go, and when again, is decided in `services.py` and `backoff.py`."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from security.crypto import EncryptedTextField, SubjectKey


class State(models.TextChoices):
    """Where a message stands."""

    PENDING = "pending"  # waits until `due_at`
    LEASED = "leased"  # somebody delivers it until `lease_until`; after that anybody may
    SENT = "sent"  # the other side accepted it
    DEAD = "dead"  # given up


class OutboxMessageQuerySet(models.QuerySet["OutboxMessage"]):
    """Questions about messages."""

    def claimable(self, now: datetime) -> "OutboxMessageQuerySet":
        """Messages whose time has come, and those whose deliverer was lost."""
        return self.filter(Q(state=State.PENDING, due_at__lte=now) | Q(state=State.LEASED, lease_until__lte=now))

    def waiting(self) -> "OutboxMessageQuerySet":
        """Messages that are not out yet and still tried."""
        return self.filter(state__in=[State.PENDING, State.LEASED])

    def dead(self) -> "OutboxMessageQuerySet":
        """Messages that were given up."""
        return self.filter(state=State.DEAD)

    def settled_before(self, horizon: datetime) -> "OutboxMessageQuerySet":
        """Messages sent or given up before `horizon`."""
        return self.filter(state__in=[State.SENT, State.DEAD], settled_at__lt=horizon)


class OutboxMessage(models.Model):
    """One message. `payload` is JSON sealed under the key of `subject`, the person it concerns.

    Receiver and text are personal data: they are gone once the message is sent, and unreadable once the
    person is erased. `kind` and `last_error` hold nothing personal.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(max_length=20)
    kind = models.CharField(max_length=50)
    subject = models.ForeignKey(SubjectKey, on_delete=models.PROTECT, related_name="+")
    payload = EncryptedTextField(null=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    objects = OutboxMessageQuerySet.as_manager()

    class Meta:
        db_table = "outbox_message"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="pending"), name="outbox_pending"),
            models.Index(fields=["lease_until"], condition=Q(state="leased"), name="outbox_leased"),
            models.Index(fields=["settled_at"], condition=Q(state__in=["sent", "dead"]), name="outbox_settled"),
        ]
        constraints = [
            models.CheckConstraint(
                name="outbox_leased_has_an_end",
                condition=Q(state="leased", lease_until__isnull=False)
                | (~Q(state="leased") & Q(lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="outbox_sent_forgets_its_payload",
                condition=~Q(state="sent") | Q(payload__isnull=True, sent_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.kind} {self.state}"
