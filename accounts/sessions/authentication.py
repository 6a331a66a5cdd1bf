"""From `Authorization: Bearer` to a living session, on every request: one cache look-up, one SQL statement.

The signature proves who the token was made for; only the session's row says that it still counts.
"""

from typing import Any, cast
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.identity.models import User
from accounts.sessions.binding import end_for_other_client, is_other_client
from accounts.sessions.compiled import read_session
from accounts.sessions.models import Session
from accounts.sessions.refusals import record_refused_token
from accounts.sessions.revocation import is_known_revoked
from accounts.sessions.signatures import access_tokens
from security.context import note_person
from security.errors import (
    NoToken,
    Problem,
    SessionInvalid,
    TokenInvalid,
    TokenRevoked,
    UserInvalid,
)


class BearerAuthentication(JWTAuthentication):
    """simplejwt's authentication with our tokens; `request.auth` is the session row, joined with its person."""

    def __init__(self) -> None:
        """The stock class asks for the user model at each request; ours is known."""

    def authenticate(self, request: Request) -> tuple[User, Session] | None:  # type: ignore[override]
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        token = bearer_of(header)
        if token is None:
            raise NoToken
        limited = request._request  # the limits have looked at the token first, and told what they saw
        try:
            if (refusal := getattr(limited, "token_refusal", None)) is not None:
                raise refusal
            session = living_session(token, is_marked=getattr(limited, "is_session_marked", None))
        except (TokenInvalid, TokenRevoked, SessionInvalid, UserInvalid) as refusal:
            record_refused_token(refusal)
            raise
        user = session.user
        note_person(user.subject_id, user.company.subject_id if user.company else None)
        return user, session

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="koshflow"'


def bearer_of(header: str | None) -> bytes | None:
    """The token of an Authorization header, None where it holds no bearer (RFC 6750 section 2.1)."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    return token.encode("utf-8", "replace") if scheme.lower() == "bearer" and token else None


def own_session(request: Request) -> Session:
    """The session of a request that passed authentication; `.user` is the person."""
    return cast(Session, request.auth)


def living_session(token: bytes, *, is_marked: bool | None = None) -> Session:
    """The session an access token belongs to, alive now.

    `is_marked` is what the cache has said of its revocation already; None: ask it.

    Raises TokenInvalid, TokenExpired, TokenRevoked, SessionInvalid or UserInvalid; a database that is away
    passes through as its own error and becomes a 503, never a signature alone.
    """
    claims = access_tokens.claims(token)
    session_id: UUID = claims["sid"]
    if is_known_revoked(session_id) if is_marked is None else is_marked:
        raise TokenRevoked
    session = _read_with_one_retry(session_id)
    refusal = why_not(session, claims)
    if refusal is not None or session is None:
        raise refusal or SessionInvalid()
    if is_other_client(session):
        end_for_other_client(session)
        raise TokenRevoked
    return session


def why_not(session: Session | None, claims: dict[str, Any]) -> Problem | None:
    """Why these claims no longer admit anyone, or None."""
    if session is None:
        return SessionInvalid()
    if str(session.user_id) != claims["sub"]:
        return TokenInvalid()
    if not session.user.is_active:
        return UserInvalid()
    if session.revoked_at is not None or session.user.token_version != claims["tv"]:
        return TokenRevoked()
    if not session.is_alive(timezone.now()):
        return SessionInvalid()
    return None


def _read_with_one_retry(session_id: UUID) -> Session | None:
    had_connection = connection.connection is not None
    try:
        return read_session(session_id)
    except (OperationalError, InterfaceError):
        if not had_connection:
            raise  # it is away: to knock a second time would only double the wait
        # Connections are not health-checked (92 µs and a statement a request), so after a restart of the
        # server each holds a dead one. A fresh one answers, or the database really is away.
        if connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return read_session(session_id)
