"""One row for each sign-in. The row is the truth about whether a session lives; tokens only point at it."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.db import models

from accounts.identity.models import User
from security.crypto import EncryptedTextField, SubjectKey


class EndReason(models.TextChoices):
    """Why a session ended before its time."""

    LOGOUT = "logout", "signed out"
    LOGOUT_ALL = "logout_all", "signed out everywhere"
    REVOKED = "revoked", "ended from another session"
    PASSWORD_CHANGED = "password_changed", "password changed"
    PASSWORD_RESET = "password_reset", "password reset"
    SECOND_FACTOR_CHANGED = "second_factor_changed", "second factor changed"
    TOKEN_REUSED = "token_reused", "refresh token used twice"
    DISPLACED = "displaced", "too many sessions"
    ADMINISTRATOR = "administrator", "ended by an administrator"
    RECOVERED = "recovered", "account recovered"
    CLIENT_CHANGED = "client_changed", "used by another program"
    NETWORK_CHANGED = "network_changed", "used from another network"


class SessionQuerySet(models.QuerySet["Session"]):
    """Named questions about sessions."""

    def alive(self, now: datetime) -> SessionQuerySet:
        """Sessions that may still be used at `now`."""
        return self.filter(revoked_at__isnull=True, idle_until__gt=now, absolute_until__gt=now)

    def admitting(self, now: datetime) -> SessionQuerySet:
        """Of those, the ones that still admit their person: active, and not signed out everywhere since."""
        return self.alive(now).filter(user__is_active=True, token_version=models.F("user__token_version"))

    def ended_before(self, moment: datetime) -> SessionQuerySet:
        """Sessions of no further use to anyone at `moment`: revoked, idle or over before it."""
        over = models.Q(revoked_at__lt=moment) | models.Q(idle_until__lt=moment) | models.Q(absolute_until__lt=moment)
        return self.filter(over)


class Session(models.Model):
    """A sign-in and the family of its tokens.

    `counter` is the number of rotations so far; the refresh token that names the present counter is the only
    one that works. `address` is the client's at the last refresh, sealed under the person's key; `client_family`
    is the program the session is bound to. `amr` holds RFC 8176 names separated by spaces.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    counter = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    rotated_at = models.DateTimeField()
    idle_until = models.DateTimeField()
    absolute_until = models.DateTimeField()
    auth_time = models.DateTimeField()
    amr = models.CharField(max_length=40)
    token_version = models.PositiveIntegerField()
    revoked_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=24, blank=True, choices=EndReason.choices)
    address = EncryptedTextField(null=True)
    client_label = models.CharField(max_length=80)
    client_family = models.CharField(max_length=24, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "-created_at"], name="session_user_newest"),
            models.Index(fields=["absolute_until"], name="session_absolute_until"),
            models.Index(fields=["-created_at", "-id"], name="session_newest"),  # the admin's list
        ]

    def __str__(self) -> str:
        return self.client_label

    @property
    def subject(self) -> SubjectKey:
        """The key that seals this row's address: its person's."""
        return self.user.subject

    def is_alive(self, now: datetime) -> bool:
        """Whether the row allows use at `now`."""
        return self.revoked_at is None and now < self.idle_until and now < self.absolute_until
