"""Resets a forgotten password by a mailed token. It never signs in and never touches the second factor."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NoReturn

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.identity.names import normalise_email
from accounts.identity.trail import company_subject, subject_of
from accounts.passwords.models import PasswordReset
from accounts.passwords.services import check_new_password
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_sessions
from security.audit import Action, record, record_refusal, windows
from security.context import current
from security.errors import ResetTokenInvalid
from security.hashing import check_room
from security.outbox import Mail, enqueue_mail

LIFETIME = timedelta(minutes=10)
# More mails an hour would only help who wants to bury a person in them.
MAX_MAILS_AN_HOUR = 3
_TOKEN_BYTES = 32


def request_password_reset(*, email: str, by: Session | None = None) -> bool:
    """Mail a token if the address is an active person's; whether one was mailed, which the API must not tell.

    `by` is the session of the staff member who asks for the person; None where the asker is not known.
    """
    now = timezone.now()
    user = User.objects.filter(email=normalise_email(email), is_active=True).first()
    is_told = user is not None or windows.is_first(current().client.address, "reset:nobody")
    with transaction.atomic(durable=True):
        if is_told:
            record(
                Action.PASSWORD_RESET_REQUESTED,
                actor=subject_of(by.user) if by is not None else None,
                target=subject_of(user),
                company=company_subject(user),
                session_id=by.pk if by is not None else None,
            )
        is_mailed = user is not None and _may_mail(_held(user), now=now)
        if user is not None and is_mailed:
            _mail_token(user, now=now)
    return is_mailed


def _held(user: User) -> User:
    """The person's row, locked: parallel requests would each count the mails before any of them is there."""
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)


def _may_mail(user: User, *, now: datetime) -> bool:
    return user.password_resets.filter(created_at__gt=now - timedelta(hours=1)).count() < MAX_MAILS_AN_HOUR


def _mail_token(user: User, *, now: datetime) -> None:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    user.password_resets.filter(used_at__isnull=True).update(expires_at=now)
    PasswordReset.objects.create(user=user, token_hash=_hash(token), created_at=now, expires_at=now + LIFETIME)
    # In the fragment: it reaches neither a server's log nor a Referer.
    link = f"{settings.WEB_URL}/reset-password#token={token}"
    context = {"link": link, "valid_minutes": int(LIFETIME.total_seconds() // 60)}
    enqueue_mail(subject=user.subject, to=user.email, kind=Mail.PASSWORD_RESET, context=context)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def reset_password(*, token: str, new_password: str) -> None:
    """Set the password of the person who was mailed `token`; all their sessions end, their second factor stays.

    Raises ResetTokenInvalid (audited), ValidationFailed (the token stays good) or Busy.
    """
    check_room()
    now = timezone.now()
    found = (
        PasswordReset.objects.usable(now)
        .select_related("user__subject", "user__company__subject")
        .filter(token_hash=_hash(token))
        .first()
    )
    if found is None:
        _refuse()
    user = found.user
    check_new_password(user=user, password=new_password, field="newPassword")
    encoded = make_password(new_password)  # outside the transaction: it takes a second
    with transaction.atomic(durable=True):
        is_spent_by_us = PasswordReset.objects.filter(pk=found.pk, used_at__isnull=True, expires_at__gt=now).update(
            used_at=now
        )
        if is_spent_by_us:
            User.objects.filter(pk=user.pk).update(password=encoded, password_changed_at=now)
            ended = end_sessions(user=user, reason=EndReason.PASSWORD_RESET)
            record(
                Action.PASSWORD_RESET,
                actor=user.subject,
                target=user.subject,
                company=company_subject(user),
                data={"sessions_ended": len(ended)},
            )
            enqueue_mail(subject=user.subject, to=user.email, kind=Mail.PASSWORD_CHANGED)
    if not is_spent_by_us:
        _refuse()


def _refuse() -> NoReturn:
    if windows.is_first(current().client.address, "password_reset"):
        record_refusal(Action.PASSWORD_RESET_REFUSED)
    raise ResetTokenInvalid


def purge_password_resets() -> int:
    """Delete requests older than a day; returns how many. Idempotent."""
    deleted, _ = PasswordReset.objects.filter(created_at__lt=timezone.now() - timedelta(days=1)).delete()
    return deleted
