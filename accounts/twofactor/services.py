"""Turns a person's second factor on and off, and renews their recovery codes. Sign-in with it is `challenge.py`.

Each change raises SessionInvalid where the sign-in behind it ended meanwhile: whoever ended that (from another device,
by a new password, by an erasure) did not mean to leave its factor to count.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from django.db import transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.identity.trail import company_subject
from accounts.login.credentials import check_own_password
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_other_sessions
from accounts.sessions.standing import held
from accounts.sessions.trail import record_by
from accounts.twofactor import qr
from accounts.twofactor.models import RecoveryCode, TotpDevice
from accounts.twofactor.recovery_codes import code_hash, new_codes
from accounts.twofactor.totp import is_code, new_secret
from accounts.twofactor.verification import OTP, verify
from security.audit import Action, counted, record_refusal, windows
from security.errors import (
    InvalidPassword,
    Problem,
    ReauthenticationRequired,
    SecondFactorAlreadyEnabled,
    SecondFactorNotDisabled,
    SecondFactorNotVerified,
)
from security.outbox import Mail, enqueue_mail

FRESH = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Setup:
    """What an authenticator app needs, shown this once. `qr_code` is a data URI for `<img src>`."""

    secret: str = field(repr=False)
    manual_entry_key: str = field(repr=False)
    otpauth_url: str = field(repr=False)
    qr_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """How a person's second factor stands."""

    enabled: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


@dataclass(frozen=True, slots=True)
class _Act:
    """An act that needs proof: its name in the trail, and how it is refused."""

    name: str
    refusal: Action = Action.SECOND_FACTOR_REFUSED


_SETUP = _Act("setup")
_VERIFY = _Act("verify")
_DISABLE = _Act("disable", Action.SECOND_FACTOR_DISABLE_REFUSED)
_REGENERATE = _Act("recovery_codes")
_PASSWORD = "password"  # the one reason that a counter bounds


def state(*, user: User) -> State:
    """How the person's second factor stands; a set-up that was not confirmed is none."""
    device = TotpDevice.objects.of(user)
    if device is None:
        return State(enabled=False, confirmed_at=None, recovery_codes_left=0)
    left = RecoveryCode.objects.left().filter(user=user).count()
    return State(enabled=True, confirmed_at=device.confirmed_at, recovery_codes_left=left)


def start_setup(*, session: Session, password: str) -> Setup:
    """A fresh secret for the session's person; it counts once `confirm_setup` has seen a code of it.

    A second set-up voids the first. Raises SecondFactorAlreadyEnabled, InvalidPassword (counted as a failed
    sign-in), AccountLocked or Busy.
    """
    user = session.user
    if TotpDevice.objects.of(user) is not None:
        _refuse(session, _SETUP, "already_enabled", SecondFactorAlreadyEnabled())
    if not check_own_password(user=user, password=password):
        _refuse(session, _SETUP, _PASSWORD, InvalidPassword())
    secret = new_secret()
    with held(session) as user:
        is_free = TotpDevice.objects.of(user) is None
        if is_free:
            TotpDevice.objects.filter(user=user).delete()
            device = TotpDevice(user=user, secret=secret, created_at=timezone.now())
            device.save(force_insert=True)
            record_by(session, Action.SECOND_FACTOR_SETUP_STARTED, target=user.subject)
    if not is_free:
        _refuse(session, _SETUP, "already_enabled", SecondFactorAlreadyEnabled())
    url = qr.otpauth_url(secret=secret, account=user.email)
    return Setup(
        secret=secret,
        manual_entry_key=qr.manual_entry_key(secret),
        otpauth_url=url,
        qr_code=qr.qr_data_uri(url),
    )


def confirm_setup(*, session: Session, token: str) -> list[str]:
    """Turn the second factor on by a code of the pending secret; the ten recovery codes, shown this once.

    Every other session ends, this one goes on. Raises SecondFactorNotVerified or AccountLocked.
    """
    user = session.user
    device = TotpDevice.objects.of(user, confirmed=False)
    if device is None:
        _refuse(session, _VERIFY, "not_pending", SecondFactorNotVerified())
    if not verify(device, code=token, act=_VERIFY.name, session_id=session.pk):
        raise SecondFactorNotVerified
    now = timezone.now()
    codes = new_codes()
    with held(session) as user:
        # By id: a set-up that voided this one since has a secret nobody showed a code of.
        pending = TotpDevice.objects.filter(pk=device.pk, confirmed=False)
        is_on = pending.update(confirmed=True, confirmed_at=now) == 1
        if is_on:
            _replace_codes(user, codes)
            _tell_change(session, user, Action.SECOND_FACTOR_ENABLED, Mail.SECOND_FACTOR_ENABLED)
    if not is_on:
        _refuse(session, _VERIFY, "not_pending", SecondFactorNotVerified())
    return codes


def disable(*, session: Session, token: str, password: str = "") -> None:
    """Turn the second factor off; every other session ends, this one goes on.

    `token` is a code of the app or a recovery code. Raises SecondFactorNotDisabled, InvalidPassword,
    ReauthenticationRequired, AccountLocked or Busy.
    """
    _prove(session, _DISABLE, token=token, password=password, refused=SecondFactorNotDisabled())
    with held(session) as user:
        is_off = remove_factor(user)
        if is_off:
            _tell_change(session, user, Action.SECOND_FACTOR_DISABLED, Mail.SECOND_FACTOR_DISABLED)
    if not is_off:
        _refuse(session, _DISABLE, "not_enabled", SecondFactorNotDisabled())


def regenerate_recovery_codes(*, session: Session, token: str, password: str = "") -> list[str]:
    """Ten new recovery codes, shown this once; the old ones are void. Sessions stay.

    `token` as for `disable`. Raises SecondFactorNotVerified, InvalidPassword, ReauthenticationRequired,
    AccountLocked or Busy.
    """
    _prove(session, _REGENERATE, token=token, password=password, refused=SecondFactorNotVerified())
    codes = new_codes()
    with held(session) as user:
        is_on = TotpDevice.objects.of(user) is not None
        if is_on:
            _replace_codes(user, codes)
            told = {"count": len(codes)}
            record_by(session, Action.RECOVERY_CODES_REGENERATED, target=user.subject, data=told)
    if not is_on:
        _refuse(session, _REGENERATE, "not_enabled", SecondFactorNotVerified())
    return codes


def verify_factor(*, user: User, code: str, recovery_code: str = "") -> str | None:
    """The RFC 8176 name of the factor that was proved at a sign-in, or None (marked); see `verification.verify`.

    Raises AccountLocked.
    """
    device = TotpDevice.objects.of(user)
    if device is None:
        record_refusal(
            Action.SECOND_FACTOR_REFUSED,
            target=user.subject,
            company=company_subject(user),
            data={"act": "sign_in", "reason": "not_enabled"},
        )
        return None
    is_right = verify(device, code=code, recovery_code=recovery_code, act="sign_in")
    return OTP if is_right else None


def remove_factor(user: User) -> bool:
    """Delete the person's device and codes inside the caller's transaction; whether a confirmed device stood."""
    # Codes before the device, as a check of a code locks them: the other way round the two could wait in a circle.
    RecoveryCode.objects.filter(user=user).delete()
    was_on, _ = TotpDevice.objects.filter(user=user, confirmed=True).delete()
    TotpDevice.objects.filter(user=user).delete()
    return was_on > 0


def _prove(session: Session, act: _Act, *, token: str, password: str, refused: Problem) -> None:
    """A fresh sign-in or the password, then a code; the code is not spent while the former is missing."""
    user = session.user
    device = TotpDevice.objects.of(user)
    if device is None:
        _refuse(session, act, "not_enabled", refused)
    if password:
        if not check_own_password(user=user, password=password):
            _refuse(session, act, _PASSWORD, InvalidPassword())
    elif timezone.now() - session.auth_time > FRESH:
        _refuse(session, act, "stale_sign_in", ReauthenticationRequired())
    # Who lost the phone has only recovery codes, and must be able to set up another.
    code, recovery_code = (token, "") if is_code(token) else ("", token)
    if not verify(
        device,
        code=code,
        recovery_code=recovery_code,
        act=act.name,
        refusal=act.refusal,
        session_id=session.pk,
    ):
        raise refused


def _tell_change(session: Session, user: User, action: Action, mail: Mail) -> None:
    """End the person's other sessions, and tell of it: in the log, and in a mail to them."""
    ended = end_other_sessions(session=session, reason=EndReason.SECOND_FACTOR_CHANGED)
    record_by(session, action, target=user.subject, data={"sessions_ended": len(ended)})
    enqueue_mail(subject=user.subject, to=user.email, kind=mail)


def _replace_codes(user: User, codes: list[str]) -> None:
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, code_hash=code_hash(code)) for code in codes)


def _refuse(session: Session, act: _Act, reason: str, refusal: Problem) -> NoReturn:
    # A wrong password leaves an event each, which the lock-out bounds. Nothing bounds the other reasons: one event a
    # session, act and minute, or whoever holds a token could fill the disk. The session, not its address: a token may
    # be sent from as many of those as one likes.
    repeats: int | None = 0
    if reason != _PASSWORD:
        repeats = windows.repeats_to_tell("", f"{act.name}:{reason}:{session.pk}")
    if repeats is not None:
        data = {"act": act.name, "reason": reason, **counted(repeats)}
        with transaction.atomic(durable=True):
            record_by(session, act.refusal, target=session.user.subject, data=data)
    raise refusal
