"""A request to reset a password. The token itself is only ever in the mail; the row keeps its hash."""

from datetime import datetime

from django.db import models
from django.db.models import F

from accounts.identity.models import User, new_id

# In place of the network of who asked: whom no stranger can use up the mails of.
STAFF, KNOWN_DEVICE = "staff", "device"


class PasswordResetQuerySet(models.QuerySet["PasswordReset"]):
    """Named questions about resets."""

    def by_strangers(self) -> "PasswordResetQuerySet":
        """Asked for from where the person has not signed in lately."""
        return self.exclude(asker__in=(STAFF, KNOWN_DEVICE))

    def void(self) -> int:
        """End those of these links that nobody has used; returns how many.

        As if they had never lived: one that ended only now would still seem good to a use that began a moment ago, and
        has spent the second since on its hash.
        """
        return self.filter(used_at__isnull=True).update(expires_at=F("created_at"))

    def usable(self, now: datetime) -> "PasswordResetQuerySet":
        """Neither used nor expired, for people who may still sign in."""
        return self.filter(used_at__isnull=True, expires_at__gt=now, user__is_active=True)


class PasswordReset(models.Model):
    """One mail's token, good once and for ten minutes; a newer request voids it, but no stranger's voids staff's.

    `asker` is STAFF, KNOWN_DEVICE, or a keyed digest (64 hex digits) of the network that asked for this person.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_resets")
    token_hash = models.BinaryField(max_length=32, unique=True)
    asker = models.CharField(max_length=64, default="", editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = PasswordResetQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "created_at"], name="password_reset_user_time")]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}"
