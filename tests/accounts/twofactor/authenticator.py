"""An authenticator app for tests, and the words for what people do with theirs."""

import time
from dataclasses import dataclass

from django_otp.oath import hotp

from accounts.identity.models import User
from accounts.twofactor.totp import STEP_SECONDS, secret_bytes
from tests.factories import PASSWORD

STATE = "/api/auth/2fa"
SETUP = "/api/auth/2fa/setup"
VERIFY = "/api/auth/2fa/verify"
DISABLE = "/api/auth/2fa/disable"
RECOVERY_CODES = "/api/auth/2fa/recovery-codes"
LOGIN = "/api/auth/login"


def code_of(secret: str, *, steps_away: int = 0) -> str:
    """What an app with `secret` shows now, or showed or will show so many steps away."""
    step = int(time.time()) // STEP_SECONDS + steps_away
    return f"{hotp(secret_bytes(secret), step):06d}"


def wrong_code(secret: str) -> str:
    """Six digits that no step near now gives."""
    near = {code_of(secret, steps_away=steps) for steps in range(-3, 4)}
    return next(code for code in (f"{number:06d}" for number in range(100)) if code not in near)


@dataclass
class Enrolled:
    """A person with the factor on, the session that turned it on, and what they wrote down."""

    person: User
    secret: str
    recovery_codes: list[str]
    access: str
    refresh: str


class SecondFactorMixin:
    """Acts of people with a second factor, for cases of `tests.base`."""

    def set_up(self, token: str, *, password: str = PASSWORD) -> str:
        """The secret that a set-up answers with."""
        response = self.post(SETUP, {"password": password}, token=token)
        self.assertEqual(response.status_code, 200, response.content)
        return response.json()["secret"]

    def enrol(self, person: User) -> Enrolled:
        """`person` with the factor on. The clock must stand; it moves on a step, so that a new code is there."""
        pair = self.log_in(person)
        secret = self.set_up(pair["accessToken"])
        response = self.post(VERIFY, {"token": code_of(secret)}, token=pair["accessToken"])
        self.assertEqual(response.status_code, 200, response.content)
        self.clock.advance(seconds=STEP_SECONDS)
        codes = response.json()["recoveryCodes"]
        return Enrolled(person, secret, codes, pair["accessToken"], pair["refreshToken"])

    def sign_in(self, person: User, **members):
        return self.post(LOGIN, {"email": person.email, "password": PASSWORD, **members})

    def challenge(self, person: User) -> str:
        """The challenge token of a sign-in that waits for a code."""
        response = self.sign_in(person)
        self.assertEqual(response.json().get("code"), "2FA_REQUIRED", response.content)
        return response.json()["challengeToken"]

    def answer(self, challenge: str, code: str = "", **members):
        return self.post(LOGIN, {"challengeToken": challenge, "twoFactorCode": code, **members})

    def refusals(self, type_: str = "second_factor.refused") -> list[dict]:
        """Act and reason of each refusal of this type, oldest first."""
        data = [event.parsed_leaf().data for event in self.audited(type_)]
        return [{name: entry[name] for name in ("act", "reason")} for entry in data]
