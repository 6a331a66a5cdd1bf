"""A request to reset a password. The token itself is only ever in the mail; the row keeps its hash."""

from datetime import datetime

from django.db import models

from accounts.identity.models import User, new_id


class PasswordResetQuerySet(models.QuerySet["PasswordReset"]):
    """Named questions about resets."""

    def usable(self, now: datetime) -> "PasswordResetQuerySet":
        """Neither used nor expired, for people who may still sign in."""
        return self.filter(used_at__isnull=True, expires_at__gt=now, user__is_active=True)


class PasswordReset(models.Model):
    """One mail's token, good once and for ten minutes; a newer request voids it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_resets")
    token_hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = PasswordResetQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "created_at"], name="password_reset_user_time")]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}"
