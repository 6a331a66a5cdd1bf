"""Resets a forgotten password by a mailed token. It never signs in and never touches the second factor.

Who asks without being known learns nothing, not even by the time it takes: the request only queues the address, sealed,
and looks nobody up. Whose it is, the outbox finds out later.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.identity.names import normalise_email
from accounts.identity.trail import company_subject
from accounts.passwords.models import KNOWN_DEVICE, STAFF, PasswordReset
from accounts.passwords.services import check_new_password
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_sessions
from accounts.twofactor.models import TotpDevice
from security.audit import Action, counted, record, record_refusal, windows
from security.client_ip import network_of
from security.context import Client, RequestContext, bind, current
from security.crypto import blind_index
from security.errors import AccountLocked, ResetTokenInvalid
from security.hashing import check_room
from security.lockout import forget_devices, is_known_device, reserve
from security.outbox import Mail, enqueue, enqueue_mail, register_channel

LIFETIME = timedelta(minutes=10)
# Of each asker: staff, the person's known devices together, each network that nobody knows (decision 13). More mails
# would only help who wants to bury a person in them; so do many networks, which together have a limit of their own.
MAX_MAILS_AN_HOUR = 3
MAX_MAILS_AN_HOUR_BY_STRANGERS = 6
_TOKEN_BYTES = 32
_CHANNEL = "password_reset"


def counted_as(email: str) -> str:
    """The name under which the lock-out counts requests for a reset of `email`: none that a sign-in can give, for the
    fields of a sign-in take no NUL.
    """
    return f"reset\x00{email}"


def queue_password_reset(*, email: str) -> None:
    """Take a stranger's request: the same statements whosever address it is, in one sealed row for the outbox.

    Beyond what a client may ask in 15 minutes nothing is queued, and the stranger is not told: one event a client and
    minute. Raises nothing of its own.
    """
    asked = current()
    try:
        # Of the sign-in's counters, under a name of its own: nobody locks a person out by asking for their resets, nor
        # their known devices out of asking. Never given back, so that the queue stays as short as the counters allow.
        account = normalise_email(email)
        reserve(account=counted_as(account), address=asked.client.address, devices_of=account)
    except AccountLocked:
        _mark_refused("reset:limit", reason="limit")
        return
    payload = {
        "email": email,
        "asked_at": timezone.now().isoformat(),
        "request_id": asked.request_id,
        "address": asked.client.address,
        "user_agent": asked.client.user_agent,
    }
    with transaction.atomic(durable=True):
        enqueue(channel=_CHANNEL, kind="request", subject=None, payload=payload)


def _answer_queued(message: UUID, payload: Mapping[str, Any]) -> None:
    """What a queued request asks for, on behalf of its client; the event is theirs, not the worker's."""
    client = Client(address=payload["address"], user_agent=payload["user_agent"])
    with bind(RequestContext(request_id=payload["request_id"], client=client)):
        asked_at = datetime.fromisoformat(payload["asked_at"])
        request_password_reset(email=payload["email"], asked_at=asked_at, request=message)


register_channel(_CHANNEL, _answer_queued)


def request_password_reset(
    *, email: str, by: Session | None = None, asked_at: datetime | None = None, request: UUID | None = None
) -> bool:
    """Mail a token if the address is an active person's; whether one was mailed, which no stranger may learn.

    Takes longer for a known address: never call it while a stranger waits for the answer. `by` is the session of the
    staff member who asks for the person; None where the asker is not known. A `request` that came by the queue is
    answered with one mail, however often the queue brings it.
    """
    now = timezone.now()
    user = User.objects.filter(email=normalise_email(email), is_active=True).first()
    actor: dict[str, Any] = {"actor": by.user.subject, "session_id": by.pk} if by is not None else {}
    if user is None:
        _mark_request_for_nobody(actor)
        return False
    with transaction.atomic(durable=True):
        held = _held(user)
        if request is not None and PasswordReset.objects.filter(pk=request).exists():
            return False
        asker = STAFF if by is not None else _asker(held, now=now)
        is_mailed = held.is_active and _may_mail(held, asker, now=now)
        record(
            Action.PASSWORD_RESET_REQUESTED,
            target=user.subject,
            company=company_subject(user),
            data={"mailed": is_mailed},
            **actor,
        )
        if is_mailed:
            _mail_token(held, asker, now=now, asked_at=asked_at or now, request=request)
    return is_mailed


def _mark_request_for_nobody(actor: Mapping[str, Any]) -> None:
    repeats = windows.repeats_to_tell(current().client.address, "reset:nobody")
    if repeats is not None:
        with transaction.atomic(durable=True):
            record(Action.PASSWORD_RESET_REQUESTED, data={"mailed": False, **counted(repeats)}, **actor)


def _held(user: User) -> User:
    """The person's row, locked: parallel requests would each count the mails before any of them is there, and the uses
    of two links would each wait for the other's.
    """
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)


def _asker(user: User, *, now: datetime) -> str:
    """Who asks, as PasswordReset keeps it, for the client of the present request."""
    if is_known_device(user.email, now=now):
        return KNOWN_DEVICE
    network = network_of(current().client.address)
    return blind_index(table="accounts_passwordreset", column="asker", value=f"{user.pk}|{network}").hex()


def _may_mail(user: User, asker: str, *, now: datetime) -> bool:
    lately = PasswordReset.objects.filter(user=user, created_at__gt=now - timedelta(hours=1))
    if lately.filter(asker=asker).count() >= MAX_MAILS_AN_HOUR:
        return False
    return asker in (STAFF, KNOWN_DEVICE) or lately.by_strangers().count() < MAX_MAILS_AN_HOUR_BY_STRANGERS


def _mail_token(user: User, asker: str, *, now: datetime, asked_at: datetime, request: UUID | None) -> None:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    older = PasswordReset.objects.filter(user=user)
    # A stranger who could void the link that staff have sent would block it as well as by using up its mails.
    (older if asker == STAFF else older.exclude(asker=STAFF)).void()
    reset = PasswordReset(user=user, token_hash=_hash(token), asker=asker, created_at=now, expires_at=now + LIFETIME)
    if request is not None:
        reset.pk = request
    reset.save(force_insert=True)
    # In the fragment: it reaches neither a server's log nor a Referer.
    link = f"{settings.WEB_URL}/reset-password#token={token}"
    context = {"link": link, "valid_minutes": int(LIFETIME.total_seconds() // 60), "when": asked_at}
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
    check_new_password(user=user, password=new_password)
    encoded = make_password(new_password)  # outside the transaction: it takes a second
    with transaction.atomic(durable=True):
        _held(user)
        is_spent_by_us = PasswordReset.objects.filter(pk=found.pk, used_at__isnull=True, expires_at__gt=now).update(
            used_at=now
        )
        if is_spent_by_us:
            # Another link that was mailed before must not set another password after.
            PasswordReset.objects.filter(user=user).void()
            User.objects.filter(pk=user.pk).update(password=encoded, password_changed_at=now)
            ended = end_sessions(user=user, reason=EndReason.PASSWORD_RESET)
            TotpDevice.objects.void_pending(user)
            forget_devices(user.email)
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
    _mark_refused("password_reset", reason="token")
    raise ResetTokenInvalid


def _mark_refused(kind: str, *, reason: str) -> None:
    repeats = windows.repeats_to_tell(current().client.address, kind)
    if repeats is not None:
        record_refusal(Action.PASSWORD_RESET_REFUSED, data={"reason": reason, **counted(repeats)})


def purge_password_resets() -> int:
    """Delete requests older than a day; returns how many. Idempotent."""
    deleted, _ = PasswordReset.objects.filter(created_at__lt=timezone.now() - timedelta(days=1)).delete()
    return deleted
