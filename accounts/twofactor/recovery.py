"""Lets an operator help a person who lost device and recovery codes: the factor goes, and every session with it.

The operator has made sure who asks, by a way outside this product; the trail keeps who did it.
"""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.identity.finding import find_person
from accounts.identity.trail import company_subject
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_everything
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.services import remove_factor
from security.audit import Action, record
from security.lockout import forget_devices
from security.outbox import Mail, enqueue_mail


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was taken away, or would be."""

    had_second_factor: bool
    sessions_ended: int


def recover_account(*, email: str, operator: str, dry_run: bool) -> Recovery:
    """Remove the person's second factor and end all their sessions; the password stays.

    `operator` is the system account that runs the command. `dry_run` only looks. May run twice. Raises
    PersonUnknown.
    """
    user = find_person(email)
    if dry_run:
        alive = Session.objects.filter(user=user).alive(timezone.now()).count()
        return Recovery(had_second_factor=TotpDevice.objects.of(user) is not None, sessions_ended=alive)
    with transaction.atomic(durable=True):
        ended = end_everything(user=user, reason=EndReason.RECOVERED)  # holds the person's row from here on
        had_factor = remove_factor(user)
        forget_devices(user.email)
        record(
            Action.ACCOUNT_RECOVERED,
            target=user.subject,
            company=company_subject(user),
            data={"operator": operator, "had_second_factor": had_factor, "sessions_ended": len(ended)},
        )
        if had_factor:
            enqueue_mail(subject=user.subject, to=user.email, kind=Mail.SECOND_FACTOR_DISABLED)
    return Recovery(had_second_factor=had_factor, sessions_ended=len(ended))
