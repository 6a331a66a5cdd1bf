"""Takes a staff member's account away: nothing of theirs opens the admin any more. `create_staff` is the way back.

The row stays, for the audit log names it; what a person is known by goes with `accounts.erasure` alone.
"""

from dataclasses import dataclass

from django.db import transaction

from accounts.identity.finding import find_person
from accounts.identity.models import User
from accounts.passwords.models import PasswordReset
from accounts.sessions.models import EndReason
from accounts.sessions.services import end_everything
from accounts.staff.roles import StaffRole
from accounts.twofactor.services import remove_factor
from security.audit import Action, record
from security.lockout import forget_devices
from security.operator_account import check_reason


class NotStaff(Exception):  # noqa: N818 - the sentence that the operator reads
    """The address belongs to a person of a company."""


class LastAdministrator(Exception):  # noqa: N818 - the sentence that the operator reads
    """Nobody else could administer after."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken away. `was_active`: they could sign in until now."""

    email: str
    was_active: bool
    roles: tuple[str, ...]
    sessions_ended: int
    had_second_factor: bool


def remove_staff(*, email: str, reason: str, operator: str, may_be_last: bool = False) -> Removed:
    """Take rights, sessions, password and second factor of a staff member, and close their account; one event.

    `reason` is a short reference that stays in the log for ever; `operator` the system account that runs this. May
    run twice. Raises PersonUnknown, NotStaff, ReasonRefused, and LastAdministrator unless `may_be_last`.
    """
    check_reason(reason)
    named = find_person(email)
    if not named.is_staff:
        raise NotStaff(f"{named.email} is not staff, but a person of a company; subject_erase takes such an account")
    with transaction.atomic(durable=True):
        # All staff, in one order: of two administrators who remove each other at once, the second finds no other.
        staff = User.objects.select_for_update(of=("self",), no_key=True).filter(is_staff=True).order_by("pk")
        user = {row.pk: row for row in staff}[named.pk]
        if not may_be_last and _is_last_administrator(user):
            raise LastAdministrator(
                f"{user.email} is the last active Administrator; make another with staff_create first, or give --last"
            )
        removed = _take_away(user)
        record(
            Action.STAFF_REMOVED,
            target=user.subject,
            data={
                "reason": reason,
                "operator": operator,
                "roles": list(removed.roles),
                "sessions_ended": removed.sessions_ended,
                "had_second_factor": removed.had_second_factor,
            },
        )
    return removed


def _is_last_administrator(user: User) -> bool:
    administrators = User.objects.filter(is_staff=True, is_active=True, groups__name=StaffRole.ADMINISTRATOR.value)
    return set(administrators.values_list("pk", flat=True)) == {user.pk}


def _take_away(user: User) -> Removed:
    was_active = user.is_active
    roles = tuple(user.groups.order_by("name").values_list("name", flat=True))
    user.is_active = user.is_superuser = False
    # Whoever had the account may know its password and hold its factor: coming back begins anew.
    user.set_unusable_password()
    user.save(update_fields=["is_active", "is_superuser", "password"])
    user.groups.clear()
    user.user_permissions.clear()
    PasswordReset.objects.filter(user=user).void()
    had_factor = remove_factor(user)
    forget_devices(user.email)
    ended = end_everything(user=user, reason=EndReason.ADMINISTRATOR)
    return Removed(user.email, was_active, roles, len(ended), had_factor)
