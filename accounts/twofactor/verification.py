"""Checks one code against a person's device: counted first, then compared, then spent, and marked either way.

It opens no session and changes no device; what a good code allows is the caller's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.identity.trail import company_subject
from security.audit import Action, record, windows
from security.context import current
from security.errors import AccountLocked

if TYPE_CHECKING:
    from accounts.twofactor.models import TotpDevice

OTP = "otp"  # the name of RFC 8176 §2; a recovery code is a one-time password too
TOO_MANY = "Too many wrong codes. Wait before you try again."


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
    """
    now = timezone.now()
    # Count before looking: a killed worker or thirty guesses at once must not grant a free one.
    with transaction.atomic(durable=durable):
        is_counted = device.take_guess(now)
    if not is_counted:
        wait_seconds = device.locked_seconds(now)
        if wait_seconds is not None:
            _mark_lock(device, durable=durable)
            raise AccountLocked(TOO_MANY, retry_after=max(wait_seconds, 1))
    user = device.user
    who = {"target": user.subject, "company": company_subject(user), "session_id": session_id}
    if session_id is not None:
        who["actor"] = user.subject
    with transaction.atomic(durable=durable):
        is_right = is_counted and (
            user.recovery_codes.spend(recovery_code, now=now)
            if recovery_code
            else device.spend(code, now=now, drift=0 if settings.TOTP_STRICT else 1)
        )
        if is_right:
            device.give_back_guess(now)
            if recovery_code:
                record(
                    Action.RECOVERY_CODE_USED,
                    data={"act": act, "left": user.recovery_codes.left().count()},
                    **who,
                )
        else:
            record(refusal, data={"act": act, "reason": "recovery_code" if recovery_code else "code"}, **who)
    return is_right


def is_admitted(device: TotpDevice, token: str) -> bool:
    """`verify` as django-otp asks: inside its transaction, and a full count is a plain no."""
    try:
        return verify(device, code=token, act="admin", durable=False)
    except AccountLocked:
        # The form asked `verify_is_allowed` before and told the person; this is a race past that question.
        return False


def _mark_lock(device: TotpDevice, *, durable: bool) -> None:
    # One event a client and minute: a locked door may be knocked at a thousand times a second.
    if windows.is_first(current().client.address, f"second_factor_locked:{device.pk}"):
        with transaction.atomic(durable=durable):
            record(
                Action.SESSION_LOCKED_OUT,
                target=device.user.subject,
                company=company_subject(device.user),
                data={"factor": OTP},
            )
