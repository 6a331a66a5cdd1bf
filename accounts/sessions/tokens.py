"""The tokens of a session: what stands in them, and how a string becomes claims again.

Every claim follows from the session row, so that one state of the row always gives the same two tokens: a
retried refresh can be answered with the very successor it missed. No roles here; they are read from the row.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from rest_framework_simplejwt.tokens import Token

from accounts.sessions.backend import Ed25519Backend
from accounts.sessions.models import Session


class SignedToken(Token):
    """simplejwt's token with our backend; a token made here is built from a session, never from defaults."""

    backend: ClassVar[Ed25519Backend]
    lifetime = timedelta(0)

    def __init__(self, token: Any = None, verify: bool = True) -> None:  # noqa: FBT001, FBT002 - simplejwt's signature
        if token is None:
            self.payload: dict[str, Any] = {}
            return
        super().__init__(token, verify)

    def get_token_backend(self) -> Any:
        return self.backend

    def verify(self) -> None:
        """All checks are the backend's; a second list here would drift from it."""


def _token_id(session: Session, purpose: str) -> str:
    text = f"{purpose}|{session.pk.hex}|{session.counter}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _claims(session: Session, *, purpose: str, expires_at: datetime) -> dict[str, Any]:
    issued = int(session.rotated_at.timestamp())
    return {
        "sub": str(session.user_id),
        "sid": session.pk.hex,
        "jti": _token_id(session, purpose),
        "iat": issued,
        "nbf": issued,
        "exp": int(expires_at.timestamp()),
    }


class AccessToken(SignedToken):
    """Proof of sign-in for one API, 15 minutes (RFC 9068)."""

    token_type = "access"
    backend = Ed25519Backend(typ="at+jwt", audience="koshflow-api", required=("amr", "auth_time", "tv"))

    @classmethod
    def for_session(cls, session: Session) -> "AccessToken":
        """The access token of the session's present counter."""
        token = cls()
        expires_at = session.rotated_at + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
        token.payload = _claims(session, purpose="access", expires_at=min(expires_at, session.absolute_until)) | {
            "amr": session.amr.split(),
            "auth_time": int(session.auth_time.timestamp()),
            "tv": session.token_version,
        }
        return token


class RefreshToken(SignedToken):
    """The one token that can rotate the session: it names the counter it was made for."""

    token_type = "refresh"
    backend = Ed25519Backend(typ="rt+jwt", audience="koshflow-refresh", required=("ctr",))

    @classmethod
    def for_session(cls, session: Session) -> "RefreshToken":
        """The refresh token of the session's present counter, good until the session's idle end."""
        token = cls()
        token.payload = _claims(session, purpose="refresh", expires_at=session.idle_until) | {"ctr": session.counter}
        return token
