"""Checks one code against a person's device: counted first, then compared, then spent, and marked either way.

It opens no session and changes no device; what a good code allows is the caller's matter.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.identity.trail import company_subject
from security.audit import Action, counted, record, windows
from security.errors import AccountLocked

if TYPE_CHECKING:
    from accounts.twofactor.models import TotpDevice

OTP = "otp"  # the name of RFC 8176 §2; a recovery code is a one-time password too
MAX_GUESSES = 10
GUESS_WINDOW = timedelta(hours=1)
TOO_MANY = "Too many wrong codes. Wait before you try again."


class Spending(Enum):
    """What became of a code."""

    SPENT_NOW = auto()
    SPENT_BEFORE = auto()  # it was right, and somebody was admitted by it
    WRONG = auto()


def verify(
    device: TotpDevice,
    *,
    code: str = "",
    recovery_code: str = "",
    act: str,
    refusal: Action = Action.SECOND_FACTOR_REFUSED,
    session_id: UUID | None = None,
    durable: bool = True,
) -> bool:
    """Whether the code is good; it is spent then, for good, whatever becomes of the act.

    `recovery_code` is looked at where it is not empty, else `code`. A wrong one leaves one `refusal` event that
    names the `act`, under the session where somebody is signed in. Raises AccountLocked when ten wrong codes
    stand in the hour. `durable` False is for django-otp, which calls inside its own transaction.

    A code that was spent before is refused like a wrong one, in the same words, but once a minute (in each process) it
    does not count: who clicks twice has guessed nothing, and must not be locked out by it. Further ones count, so that
    nobody can learn without limit, from what does not lock, which code was a good one.
    """
    now = timezone.now()
    # Count before looking: a killed worker or thirty guesses at once must not grant a free one.
    with transaction.atomic(durable=durable):
        is_counted = device.take_guess(now)
    if not is_counted:
        wait_seconds = device.locked_seconds(now)
        if wait_seconds is not None:
            _mark_lock(device, durable=durable)
            raise _locked(max(wait_seconds, 1))
    user = device.user
    who = {"target": user.subject, "company": company_subject(user), "session_id": session_id}
    if session_id is not None:
        who["actor"] = user.subject
    with transaction.atomic(durable=durable):
        if not is_counted:
            spending = Spending.WRONG
        elif recovery_code:
            spending = user.recovery_codes.spend(recovery_code, now=now)
        else:
            spending = device.spend(code, now=now, drift=0 if settings.TOTP_STRICT else 1)
        is_right, is_replay = spending is Spending.SPENT_NOW, spending is Spending.SPENT_BEFORE
        if is_right or (is_replay and windows.is_first("", f"replay:{device.pk}")):
            device.give_back_guess(now)
        if is_right:
            if recovery_code:
                record(
                    Action.RECOVERY_CODE_USED,
                    data={"act": act, "left": user.recovery_codes.left().count()},
                    **who,
                )
        else:
            data = {"act": act, "reason": "recovery_code" if recovery_code else "code"}
            record(refusal, data={**data, "replayed": True} if is_replay else data, **who)
    return is_right


def _locked(seconds: int) -> AccountLocked:
    # Named here, or the limit with the least left would be, which refused nobody.
    policy = f'"codes";q={MAX_GUESSES};w={int(GUESS_WINDOW.total_seconds())}'
    headers = {"RateLimit-Policy": policy, "RateLimit": f'"codes";r=0;t={seconds}'}
    return AccountLocked(TOO_MANY, retry_after=seconds, headers=headers)


def is_admitted(device: TotpDevice, token: str) -> bool:
    """`verify` as django-otp asks: inside its transaction, and a full count is a plain no."""
    try:
        return verify(device, code=token, act="admin", durable=False)
    except AccountLocked:
        # The form asked `verify_is_allowed` before and told the person; this is a race past that question.
        return False


def _mark_lock(device: TotpDevice, *, durable: bool) -> None:
    # One event a device and minute: a locked door may be knocked at a thousand times a second, by whoever has the
    # password or a token, from as many addresses as they like.
    repeats = windows.repeats_to_tell("", f"second_factor_locked:{device.pk}")
    if repeats is not None:
        with transaction.atomic(durable=durable):
            record(
                Action.SESSION_LOCKED_OUT,
                target=device.user.subject,
                company=company_subject(device.user),
                data={"factor": OTP, **counted(repeats)},
            )
