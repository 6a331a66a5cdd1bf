"""Changes a person's password. One that was forgotten is `reset`'s matter.

What a good password is, is `policy`; whether one is right, `accounts.login`.
"""

from typing import NoReturn

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.login.credentials import check_own_password
from accounts.passwords import check_password_policy
from accounts.passwords.models import PasswordReset
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_other_sessions
from accounts.sessions.trail import record_by
from accounts.twofactor.models import TotpDevice
from security.audit import Action
from security.errors import FieldError, InvalidCurrentPassword, ValidationFailed
from security.lockout import forget_devices
from security.outbox import Mail, enqueue_mail


def words_of(user: User) -> list[str]:
    """The person's and their company's own words, which their password may not resemble."""
    company = [user.company.name, user.company.email] if user.company else []
    return [user.name, user.email, *company]


def check_new_password(*, user: User, password: str) -> None:
    """Raises ValidationFailed with one entry a reason, for the member `newPassword`."""
    reasons = check_password_policy(password, words=words_of(user), has_second_factor=user.has_second_factor)
    if reasons:
        raise ValidationFailed([FieldError("newPassword", reason, "password_policy") for reason in reasons])


def change_password(*, session: Session, current_password: str, new_password: str) -> None:
    """Set a new password; every other session ends, this one goes on.

    Raises InvalidCurrentPassword (counted as a failed sign-in, audited), ValidationFailed, AccountLocked or
    Busy.
    """
    user = session.user
    if not check_own_password(user=user, password=current_password):
        _refuse(session)
    check_new_password(user=user, password=new_password)
    verified = user.password
    encoded = make_password(new_password)  # outside the transaction: it takes a second
    now = timezone.now()
    with transaction.atomic(durable=True):
        # Of two changes at once the second finds another password than it verified, and changes nothing.
        is_changed = User.objects.filter(pk=user.pk, password=verified).update(
            password=encoded, password_changed_at=now
        )
        if is_changed:
            ended = end_other_sessions(session=session, reason=EndReason.PASSWORD_CHANGED)
            # A link that was mailed before must not set another password after.
            PasswordReset.objects.filter(user=user).void()
            TotpDevice.objects.void_pending(user)
            forget_devices(user.email)  # one of them may be a thief's
            record_by(session, Action.PASSWORD_CHANGED, target=user.subject, data={"sessions_ended": len(ended)})
            enqueue_mail(subject=user.subject, to=user.email, kind=Mail.PASSWORD_CHANGED)
    if not is_changed:
        _refuse(session)


def _refuse(session: Session) -> NoReturn:
    """One event each: the lock-out's counters and the cost of a hash bound how many there can be."""
    with transaction.atomic(durable=True):
        record_by(session, Action.PASSWORD_CHANGE_REFUSED, target=session.user.subject)
    raise InvalidCurrentPassword
