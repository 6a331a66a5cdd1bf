"""Lifts a person's lock-out, for the admin's button and the operator's command alike, and marks who did it."""

from django.db import transaction

from accounts.identity.models import User
from accounts.identity.trail import company_subject
from accounts.sessions.models import Session
from security.audit import Action, record
from security.lockout import Unlocked, unlock


def lift_lockout(
    *, user: User, by: Session | None = None, operator: str = "", address: str = "", dry_run: bool = False
) -> Unlocked:
    """Forget the failed sign-ins that stand against `user`, and with `address` those of that address as a whole.

    Done by the staff member of the session `by`, or by the system account `operator`. May run twice; each leaves its
    mark, also where nothing stood. `dry_run` only looks.
    """
    if dry_run:
        return unlock(user.email, address=address, dry_run=True)
    with transaction.atomic(durable=True):
        lifted = unlock(user.email, address=address)
        record(
            Action.ACCOUNT_UNLOCKED,
            actor=by.user.subject if by is not None else None,
            target=user.subject,
            company=company_subject(user),
            session_id=by.pk if by is not None else None,
            data={
                "counters": lifted.counters,
                "locks": lifted.locks,
                **({"surface": "admin"} if by is not None else {"operator": operator}),
            },
            pii={"unlocked_address": address} if address else None,
        )
    return lifted
