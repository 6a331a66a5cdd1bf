"""Creates staff. What they may do stands in `roles.py`; how they sign in is the admin site's matter."""

import secrets
from dataclasses import dataclass, field

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, transaction

from accounts.identity.models import User
from accounts.identity.names import normalise_email
from accounts.staff.roles import StaffRole, rights_of
from security.audit import Action, record
from security.operator_account import operator_name

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that a reader could take for something else
_GROUPS, _GROUP_LENGTH = 5, 5


class StaffExists(Exception):  # noqa: N818 - named for what happened
    """The address belongs to somebody who has signed in already, or who is not staff."""


@dataclass(frozen=True, slots=True)
class NewStaff:
    """A staff member with the password to tell them, which is stored nowhere.

    Not new where it was issued again; `is_back` where `remove_staff` had closed the account.
    """

    user: User
    is_new: bool
    is_back: bool
    password: str = field(repr=False)


def has_staff() -> bool:
    """Whether any staff member can sign in."""
    return User.objects.filter(is_staff=True, is_active=True).exists()


def create_staff(*, email: str, name: str, role: StaffRole) -> NewStaff:
    """Create a staff member of `role` with a random password of 123 bits, to be shown once.

    For someone who has never signed in it issues a new password instead, so that one that was lost before its
    first use is no dead end; an account that was closed is opened again. Raises StaffExists.
    """
    password = _new_password()
    hashed = make_password(password)  # outside the transaction: it takes a second
    with transaction.atomic(durable=True):
        user = User.objects.select_for_update(of=("self",)).filter(email=normalise_email(email)).first()
        is_new = user is None
        # An installation begins with one, which is no news; whoever comes after is (`admin_granted`).
        action = Action.STAFF_CREATED if User.objects.exists() else Action.STAFF_FIRST_CREATED
        if user is None:
            user = _insert(email=email, name=name)
        elif not user.is_staff:
            raise StaffExists(f"{email} has an account already, in a company; staff need an address of their own")
        elif user.is_active and user.last_login is not None:
            raise StaffExists(
                f"{email} has an account already and has signed in; if the password is lost, send a reset link "
                "from the admin, or ask for one at POST /api/auth/password-reset"
            )
        is_back = not user.is_active
        user.password, user.is_active = hashed, True
        user.save(update_fields=["password", "is_active"])
        user.groups.set([_ensure_group(role)])
        record(
            action,
            target=user.subject,
            data={"role": role.value, "password_reissued": not is_new, "operator": operator_name()}
            | ({"is_back": True} if is_back else {}),
        )
    return NewStaff(user=user, is_new=is_new, is_back=is_back, password=password)


def _insert(*, email: str, name: str) -> User:
    """A new person of staff. Raises StaffExists where another run was quicker: there was no row to lock."""
    try:
        return User.objects.create_user(email=email, password=None, name=name, is_staff=True)
    except IntegrityError as error:
        raise StaffExists(
            f"{email} was given an account by somebody else in this very moment; look who it is"
        ) from error


def _ensure_group(role: StaffRole) -> Group:
    """The group of `role` with exactly the rights that the table gives it now."""
    group, _ = Group.objects.get_or_create(name=role.value)
    permissions = Permission.objects.select_related("content_type")
    by_name = {(p.content_type.app_label, p.codename): p for p in permissions}
    group.permissions.set([by_name[pair] for pair in rights_of(role, offered=by_name)])
    return group


def _new_password() -> str:
    """Five groups of five characters: 31^25, about 123 bits.

    One upper-case letter and dashes please any policy.
    """
    groups = ["".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)]
    return "K" + "-".join(groups)
