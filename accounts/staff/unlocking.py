"""Lifts the lock-out of a person or an address, for the admin and the command alike, and marks who did it."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.identity.trail import company_subject, subject_of
from accounts.sessions.models import Session
from accounts.twofactor.models import TotpDevice
from security.audit import Action, Outcome, record
from security.lockout import Unlocked, unlock


def lift_lockout(
    *,
    user: User | None = None,
    by: Session | None = None,
    operator: str = "",
    address: str = "",
    reason: str = "",
    dry_run: bool = False,
) -> Unlocked:
    """Forget the failed sign-ins that stand against `user`, and with `address` those of that address as a whole.

    Done by the staff member of the session `by`, or by the system account `operator`. `reason` is their own words: the
    event commits to them and to the address. May run twice; each leaves its mark, also where nothing stood. `dry_run`
    only looks.
    """
    account = user.email if user is not None else ""
    if dry_run:
        return unlock(account, address=address, dry_run=True)
    with transaction.atomic(durable=True):
        lifted = unlock(account, address=address)
        record(
            Action.ACCOUNT_UNLOCKED,
            outcome=Outcome.SUCCESS if lifted.counters else Outcome.FAILED,
            actor=by.user.subject if by is not None else None,
            target=subject_of(user),
            company=company_subject(user),
            session_id=by.pk if by is not None else None,
            data={
                "counters": lifted.counters,
                "locks": lifted.locks,
                **({"surface": "admin"} if by is not None else {"operator": operator}),
            },
            # Whatever staff write down may name somebody.
            pii={name: text for name, text in (("unlocked_address", address), ("reason", reason)) if text},
        )
    return lifted


def codes_locked_until(user: User) -> datetime | None:
    """When the second factor of `user` takes codes again after too many wrong ones; None where it takes them now.

    No unlocking lifts that: whoever sent those codes knew the password.
    """
    now = timezone.now()
    device = TotpDevice.objects.of(user)
    seconds = device.locked_seconds(now) if device is not None else None
    return now + timedelta(seconds=seconds) if seconds else None
