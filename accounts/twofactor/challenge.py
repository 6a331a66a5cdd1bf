"""The step between a right password and a code: a signed, short-lived, single-use token without any rights.

A sign-in answers with it when a code is needed; it comes back with the code, so that the password is neither
kept by the client nor hashed again.
"""

import hashlib
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError

from accounts.identity.models import User
from accounts.identity.trail import company_subject, subject_of
from accounts.sessions.backend import Ed25519Backend
from accounts.sessions.tokens import SignedToken
from accounts.twofactor.models import Challenge
from accounts.twofactor.services import verify_factor
from security.audit import Action, counted, record, record_refusal, windows
from security.context import current
from security.errors import ChallengeInvalid, InvalidSecondFactorCode

LIFETIME = timedelta(minutes=5)


class ChallengeToken(SignedToken):
    """Names a challenge; its own type and audience keep it from being taken for an access token (ASVS 9.2.2)."""

    token_type = "challenge"
    lifetime = LIFETIME
    backend = Ed25519Backend(typ="mfa+jwt", audience="koshflow-mfa", required=(), is_of_session=False)

    @classmethod
    def for_challenge(cls, challenge: Challenge) -> "ChallengeToken":
        """The token of a saved challenge."""
        token = cls()
        issued = int(challenge.created_at.timestamp())
        token.payload = {
            "sub": str(challenge.user_id),
            "jti": challenge.pk.hex,
            "iat": issued,
            "nbf": issued,
            "exp": int(challenge.expires_at.timestamp()),
        }
        return token


def issue_challenge(*, user: User) -> str:
    """A challenge token for a person whose password was just right: five minutes, five tries, one use."""
    return str(ChallengeToken.for_challenge(open_challenge(user=user)))


def open_challenge(*, user: User) -> Challenge:
    """The challenge itself, for a caller that keeps its id at home and hands no token out."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        challenge = Challenge.objects.create(
            user=user,
            password_digest=_digest(user),
            token_version=user.token_version,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        record(
            Action.SECOND_FACTOR_CHALLENGED,
            target=user.subject,
            company=company_subject(user),
            data={"challenge": str(challenge.pk)},
        )
    return challenge


def answer_challenge(*, token: str, code: str = "", recovery_code: str = "") -> User:
    """`answer_kept_challenge` for the challenge that `token` names."""
    return _answer(_challenge_named(token), code=code, recovery_code=recovery_code)


def answer_kept_challenge(*, challenge_id: UUID, code: str = "", recovery_code: str = "") -> User:
    """The person whose challenge this is, their second factor proved; the challenge is used up.

    Raises ChallengeInvalid, InvalidSecondFactorCode or AccountLocked. Each answer costs one of five tries before
    the code is looked at.
    """
    return _answer(_challenges().filter(pk=challenge_id).first(), code=code, recovery_code=recovery_code)


def _answer(challenge: Challenge | None, *, code: str, recovery_code: str) -> User:
    now = timezone.now()
    if challenge is None:
        _refuse(None)
    user = challenge.user
    if not Challenge.objects.take_try(challenge.pk, now=now) or not _stands_for(challenge, user):
        _refuse(user)
    if verify_factor(user=user, code=code, recovery_code=recovery_code) is None:
        raise InvalidSecondFactorCode
    # Two good codes at once (this step's and the last one's) must not open two sessions.
    if not Challenge.objects.use(challenge.pk, now=now):
        _refuse(user)
    return user


def purge_challenges() -> int:
    """Delete challenges that are over; how many. Idempotent."""
    deleted, _ = Challenge.objects.filter(expires_at__lte=timezone.now()).delete()
    return deleted


def _challenge_named(token: str) -> Challenge | None:
    try:
        claims = ChallengeToken(token).payload
        pk, owner = UUID(hex=str(claims["jti"])), UUID(str(claims["sub"]))
    except (TokenError, ValueError):
        return None  # the caller refuses, with one answer for every cause
    return _challenges().filter(pk=pk, user_id=owner).first()


def _challenges() -> QuerySet[Challenge]:
    return Challenge.objects.select_related("user__subject", "user__company__subject")


def _stands_for(challenge: Challenge, user: User) -> bool:
    return (
        user.is_active
        and user.has_second_factor
        and user.token_version == challenge.token_version
        and bytes(challenge.password_digest) == _digest(user)
    )


def _digest(user: User) -> bytes:
    return hashlib.sha256(user.password.encode()).digest()


def _refuse(user: User | None) -> NoReturn:
    # One event a client and minute: a made-up token costs its sender nothing.
    repeats = windows.repeats_to_tell(current().client.address, "challenge")
    if repeats is not None:
        record_refusal(
            Action.SECOND_FACTOR_REFUSED,
            target=subject_of(user),
            company=company_subject(user),
            data={"act": "sign_in", "reason": "challenge", **counted(repeats)},
        )
    raise ChallengeInvalid
