"""A person's TOTP device, their recovery codes, and sign-ins that wait for one of them.

Each "once" and "at most" is one conditional UPDATE, so that parallel tries cannot all find room.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django_otp.models import Device, DeviceManager

from accounts.identity.models import User, new_id
from accounts.twofactor.recovery_codes import code_hash
from accounts.twofactor.totp import matching_step, secret_bytes
from accounts.twofactor.verification import GUESS_WINDOW, MAX_GUESSES, TOO_MANY, Spending, is_admitted
from security.crypto import EncryptedTextField, SubjectKey

MAX_TRIES = 5


class TotpDeviceManager(DeviceManager):
    """Finds devices by person. No joins here: django-otp locks what this returns."""

    def of(self, user: User, *, confirmed: bool = True) -> TotpDevice | None:
        """The person's device, read now: what hangs on `user` may be older than the question."""
        device = self.filter(user=user, confirmed=confirmed).first()
        if device is not None:
            device.user = user
        return device

    def void_pending(self, user: User) -> None:
        """Forget a set-up that waits for its first code: whoever began it knew the password that is gone now."""
        self.filter(user=user, confirmed=False).delete()


class TotpDevice(Device):
    """One authenticator app a person; it counts once `confirmed`.

    `secret` is base32 text, sealed under the person's key. `last_step` is the last time step spent.
    `guesses` were taken in the hour that ends at `guesses_until`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="totp_device")
    name = models.CharField(max_length=64, default="Authenticator app")
    confirmed = models.BooleanField(default=False)
    secret = EncryptedTextField()
    last_step = models.BigIntegerField(default=-1)
    guesses = models.PositiveSmallIntegerField(default=0)
    guesses_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    objects = TotpDeviceManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="totp_device_confirmed_has_its_time",
                condition=Q(confirmed=True, confirmed_at__isnull=False) | Q(confirmed=False, confirmed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.created_at:%Y-%m-%d}"

    @property
    def subject(self) -> SubjectKey:
        """The key that seals this row's secret: its person's."""
        return self.user.subject

    @property
    def persistent_id(self) -> str:
        """django-otp reads the part after the slash with int()."""
        return f"{self.model_label()}/{self.pk.int}"

    def take_guess(self, now: datetime) -> bool:
        """Count one check before it is made; False when ten stand in the hour, or the device is gone.

        The guess that fills the count moves the hour's end: the lock lasts an hour from the guess that caused it.
        """
        begins_anew = Q(guesses_until__isnull=True) | Q(guesses_until__lte=now)
        until = Value(now + GUESS_WINDOW, output_field=models.DateTimeField())
        counted = TotpDevice.objects.filter(begins_anew | Q(guesses__lt=MAX_GUESSES), pk=self.pk).update(
            guesses=Case(When(begins_anew, then=Value(1)), default=F("guesses") + 1),
            guesses_until=Case(
                When(begins_anew | Q(guesses__gte=MAX_GUESSES - 1), then=until), default=F("guesses_until")
            ),
        )
        return counted == 1

    def give_back_guess(self, now: datetime) -> None:
        """Uncount a check that proved right. Earlier wrong ones stay: a sign-in of the owner frees nobody else."""
        TotpDevice.objects.filter(pk=self.pk, guesses__gt=0, guesses_until__gt=now).update(guesses=F("guesses") - 1)

    def locked_seconds(self, now: datetime) -> int | None:
        """Whole seconds until a guess may be taken again, 0 when it may now; None when the device is gone."""
        row = TotpDevice.objects.filter(pk=self.pk).values_list("guesses", "guesses_until").first()
        if row is None:
            return None
        guesses, until = row
        if guesses < MAX_GUESSES or until is None or until <= now:
            return 0
        return math.ceil((until - now).total_seconds())

    def spend(self, code: str, *, now: datetime, drift: int) -> Spending:
        """Whether `code` is good at `now` and was spent by this very call; one step never admits two."""
        key = secret_bytes(cast(str, self.secret))  # the column is never null
        step = matching_step(key, code, at=int(now.timestamp()), drift=drift)
        if step is None:
            return Spending.WRONG
        # The row alone knows what is spent: of two clicks at once the second has read it before the first wrote.
        is_ours = TotpDevice.objects.filter(pk=self.pk, last_step__lt=step).update(last_step=step) == 1
        return Spending.SPENT_NOW if is_ours else Spending.SPENT_BEFORE

    # django-otp's door, through which the admin asks. Its caller holds a transaction.

    def verify_is_allowed(self) -> tuple[bool, dict[str, Any] | None]:
        if self.locked_seconds(timezone.now()):
            return False, {"error_message": TOO_MANY}
        return True, None

    def verify_token(self, token: str) -> bool:
        """Whether `token` is a good code; counted, spent and marked as at the API. A full count is False."""
        return is_admitted(self, token)


class RecoveryCodeQuerySet(models.QuerySet["RecoveryCode"]):
    """Questions about codes, and their one use."""

    def left(self) -> RecoveryCodeQuerySet:
        """Codes that still work."""
        return self.filter(used_at__isnull=True)

    def spend(self, text: str, *, now: datetime) -> Spending:
        """Whether `text` spells one of these codes, and whether it was this very call that spent it."""
        digest = code_hash(text)
        if digest is None:
            return Spending.WRONG
        if self.left().filter(code_hash=digest).update(used_at=now) == 1:
            return Spending.SPENT_NOW
        return Spending.SPENT_BEFORE if self.filter(code_hash=digest).exists() else Spending.WRONG


class RecoveryCode(models.Model):
    """One of a person's recovery codes, known by its SHA-256 only; 115 random bits need no slow hash."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    code_hash = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    objects = RecoveryCodeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_once_a_person")]

    def __str__(self) -> str:
        return "used" if self.used_at else "unused"


class ChallengeQuerySet(models.QuerySet["Challenge"]):
    """Questions about challenges, and the two steps of answering one."""

    def open_at(self, now: datetime) -> ChallengeQuerySet:
        """Neither used, nor expired, nor tried too often."""
        return self.filter(used_at__isnull=True, expires_at__gt=now, tries__lt=MAX_TRIES)

    def take_try(self, pk: Any, *, now: datetime) -> bool:
        """Count one answer before it is looked at; False when none is left."""
        return self.open_at(now).filter(pk=pk).update(tries=F("tries") + 1) == 1

    def use(self, pk: Any, *, now: datetime) -> bool:
        """Whether this very call used the challenge up."""
        return self.filter(pk=pk, used_at__isnull=True, expires_at__gt=now).update(used_at=now) == 1


class Challenge(models.Model):
    """A sign-in whose password was right and which waits for a code.

    `password_digest` (SHA-256 of the stored hash) and `token_version` tie it to the password step: change either,
    and it opens nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="challenges")
    password_digest = models.BinaryField(max_length=32)
    token_version = models.PositiveIntegerField()
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    objects = ChallengeQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}, {self.tries} tries"
