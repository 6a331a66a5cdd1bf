"""Opens and ends sessions. Signing in is `accounts.login`; this module trusts whoever calls it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.identity.models import User
from accounts.identity.trail import company_subject
from accounts.sessions.client_label import client_label
from accounts.sessions.models import EndReason, Session
from accounts.sessions.revocation import announce_on_commit
from accounts.sessions.signatures import access_tokens, refresh_tokens
from accounts.sessions.tokens import AccessToken, RefreshToken
from accounts.sessions.trail import record_by
from security.audit import Action, agent_family, record
from security.context import current
from security.errors import NotFound

ENDED_ARE_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Signed tokens; `expires_in` is the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int


def tokens_of(session: Session) -> TokenPair:
    """The pair of the session's present state; the same state gives the same pair."""
    return TokenPair(
        access=access_tokens.signed(AccessToken.for_session(session)),
        refresh=refresh_tokens.signed(RefreshToken.for_session(session)),
        expires_in=settings.ACCESS_TOKEN_SECONDS,
    )


def open_session(*, user: User, amr: str) -> Session:
    """A new session for `user`, who proved themselves by `amr`; displaces the oldest above the cap.

    Runs inside the sign-in's transaction, which holds the user's row: two sign-ins cannot pass the cap together.
    """
    now = timezone.now()
    _make_room(user, now=now)
    context = current()
    session = Session(
        user=user,
        created_at=now,
        rotated_at=now,
        auth_time=now,
        idle_until=now + timedelta(seconds=settings.SESSION_IDLE_SECONDS),
        absolute_until=now + timedelta(seconds=settings.SESSION_ABSOLUTE_SECONDS),
        amr=amr,
        token_version=user.token_version,
        client_label=client_label(context.client.user_agent),
        client_family=agent_family(context.client.user_agent),
    )
    session.address = context.client.address or None
    session.save(force_insert=True)
    return session


def _make_room(user: User, *, now: datetime) -> None:
    newest_first = Session.objects.filter(user=user).alive(now).order_by("-created_at")
    surplus = list(newest_first.values_list("pk", flat=True))[settings.SESSIONS_PER_USER - 1 :]
    if surplus:
        end_sessions(user=user, session_ids=surplus, reason=EndReason.DISPLACED)
        count = {"count": len(surplus)}
        record(Action.SESSION_DISPLACED, actor=user.subject, company=company_subject(user), data=count)


def end_sessions(*, user: User, reason: EndReason, session_ids: Iterable[UUID] | None = None) -> list[UUID]:
    """End the given sessions of `user` (all when None), inside the caller's transaction; returns those that lived.

    The row ends the session; the cache entry is only told on commit, so that a roll-back never revokes.
    """
    rows = Session.objects.filter(user=user, revoked_at__isnull=True)
    if session_ids is not None:
        rows = rows.filter(pk__in=list(session_ids))
    # Locked in one order: of parallel calls one ends a session, and only that one may tell of it.
    ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    if ids:
        Session.objects.filter(pk__in=ids).update(revoked_at=timezone.now(), end_reason=reason)
        announce_on_commit(ids)
    return ids


def end_other_sessions(*, session: Session, reason: EndReason) -> list[UUID]:
    """End every session of the person but this one; same terms as end_sessions."""
    others = Session.objects.filter(user_id=session.user_id, revoked_at__isnull=True).exclude(pk=session.pk)
    return end_sessions(user=session.user, session_ids=others.values_list("pk", flat=True), reason=reason)


def end_everything(*, user: User, reason: EndReason) -> list[UUID]:
    """End all sessions of `user`, and void a sign-in that is under way; same terms as end_sessions.

    The raised token version refuses even a session that a sign-in commits a moment later from what it read before.
    """
    User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
    return end_sessions(user=user, reason=reason)


def log_out(*, session: Session, all_devices: bool) -> None:
    """End this session, or all of the person's; a second call finds nothing left to do."""
    with transaction.atomic(durable=True):
        if all_devices:
            ended = end_everything(user=session.user, reason=EndReason.LOGOUT_ALL)
            record_by(session, Action.SESSIONS_ENDED_ALL, data={"count": len(ended)})
        elif end_sessions(user=session.user, session_ids=[session.pk], reason=EndReason.LOGOUT):
            record_by(session, Action.SESSION_ENDED, data={"reason": EndReason.LOGOUT.value})


def revoke_session(*, by: Session, session_id: UUID) -> None:
    """End one of the person's own sessions from another. Raises NotFound for anyone else's id."""
    user = by.user
    with transaction.atomic(durable=True):
        if not Session.objects.filter(user=user, pk=session_id).exists():
            raise NotFound
        if end_sessions(user=user, session_ids=[session_id], reason=EndReason.REVOKED):
            record(
                Action.SESSION_ENDED,
                actor=user.subject,
                company=company_subject(user),
                session_id=session_id,
                data={"reason": EndReason.REVOKED.value},
            )


def revoke_other_sessions(*, by: Session) -> int:
    """End all of the person's sessions but this one; returns how many."""
    with transaction.atomic(durable=True):
        ended = end_other_sessions(session=by, reason=EndReason.REVOKED)
        if ended:
            record_by(by, Action.SESSIONS_ENDED_ALL, data={"count": len(ended), "but": "this"})
    return len(ended)


def purge_sessions() -> int:
    """Delete sessions that ended more than 30 days ago; returns how many. Idempotent."""
    deleted, _ = Session.objects.ended_before(timezone.now() - ENDED_ARE_KEPT).delete()
    return deleted
