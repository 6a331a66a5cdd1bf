"""Signs a person in: password, then the second factor where one is on, then a session."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.login.credentials import verify_credentials
from accounts.sessions.models import Session
from accounts.sessions.services import TokenPair, open_session, tokens_of
from accounts.sessions.trail import record_by
from accounts.twofactor.challenge import answer_challenge, issue_challenge
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.services import verify_factor
from accounts.twofactor.verification import OTP
from security.audit import Action
from security.errors import InvalidCredentials, InvalidSecondFactorCode
from security.lockout import remember_device

PASSWORD_ONLY = "pwd"
BOTH_FACTORS = f"pwd {OTP}"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person with a fresh session and its tokens."""

    user: User
    session: Session
    tokens: TokenPair


@dataclass(frozen=True, slots=True)
class CodeNeeded:
    """The password was right; the sign-in waits for a code, to be sent with this token."""

    challenge_token: str


def log_in(
    *, email: str = "", password: str = "", challenge_token: str = "", code: str = "", recovery_code: str = ""
) -> SignIn | CodeNeeded:
    """Sign in with e-mail and password, or with a challenge token; with a code where the second factor is on.

    Raises AccountLocked, Busy, InvalidCredentials, InvalidSecondFactorCode or ChallengeInvalid.
    """
    if challenge_token:
        user = answer_challenge(token=challenge_token, code=code, recovery_code=recovery_code)
        return sign_in(user=user, amr=BOTH_FACTORS)
    user = verify_credentials(email=email, password=password)
    if not user.has_second_factor:
        return sign_in(user=user, amr=PASSWORD_ONLY)
    if not code and not recovery_code:
        return CodeNeeded(challenge_token=issue_challenge(user=user))
    if verify_factor(user=user, code=code, recovery_code=recovery_code) is None:
        raise InvalidSecondFactorCode
    return sign_in(user=user, amr=BOTH_FACTORS)


def sign_in(*, user: User, amr: str) -> SignIn:
    """Open a session for a person whose factors were just verified.

    Raises InvalidCredentials when the password, the account or the second factor changed since: the conditional
    UPDATE holds the person's row, so a change that ends all sessions cannot be overtaken by a sign-in from before.
    """
    now = timezone.now()
    with transaction.atomic(durable=True):
        is_unchanged = User.objects.filter(
            pk=user.pk, is_active=True, password=user.password, token_version=user.token_version
        ).update(last_login=now)
        # Its own statement, after the row is held: a condition of the UPDATE would not see a set-up that was
        # confirmed while it waited. Rolled back whole: nobody signed in, and the client simply tries again.
        if is_unchanged and amr == PASSWORD_ONLY and TotpDevice.objects.of(user) is not None:
            raise InvalidCredentials
        if is_unchanged:
            user.last_login = now
            session = open_session(user=user, amr=amr)
            remember_device(user.email, now=now)
            record_by(session, Action.SESSION_CREATED, data={"amr": amr.split(), "surface": "api"})
    if not is_unchanged:
        raise InvalidCredentials
    return SignIn(user=user, session=session, tokens=tokens_of(session))
