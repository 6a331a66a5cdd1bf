"""The counters of failed credential checks. What they limit, and how long, is decided in `services.py`."""

from datetime import datetime

from django.db import models


class CredentialCounterQuerySet(models.QuerySet["CredentialCounter"]):
    """Reads and deletions; counting itself is the single statement in `counters.py`."""

    def expired(self, now: datetime) -> "CredentialCounterQuerySet":
        """Counters whose window is over: they limit nobody."""
        return self.filter(expires_at__lte=now)


class CredentialCounter(models.Model):
    """Credential checks taken in one window: what one counter counts the checks of, `kinds.py` says.

    Every text is a keyed digest (64 hex digits): whoever copies the table learns neither who signs in nor
    from where. `account` and `address` let an operator unlock by either; "" where the counter spans all of
    them, and a word in place of the address where it is one of known devices.
    """

    key = models.CharField(max_length=64, primary_key=True)
    account = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    count = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    objects = CredentialCounterQuerySet.as_manager()

    class Meta:
        db_table = "lockout_counter"
        indexes = [
            models.Index(fields=["account"], name="lockout_account"),
            models.Index(fields=["address"], name="lockout_address"),
        ]

    def __str__(self) -> str:
        return f"{self.count} until {self.expires_at:%Y-%m-%d %H:%M:%S}"


class KnownDevice(models.Model):
    """A client that signed in to an account: both texts are keyed digests (64 hex digits), `seen_at` the last time."""

    key = models.CharField(max_length=64, primary_key=True)
    account = models.CharField(max_length=64, db_index=True)
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "lockout_known_device"

    def __str__(self) -> str:
        return f"seen {self.seen_at:%Y-%m-%d %H:%M:%S}"
