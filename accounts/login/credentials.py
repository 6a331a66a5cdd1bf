"""Checks an e-mail and a password: the one place where a password is compared, for the API and the admin alike.

The order is the defence. Count first, so that a killed worker or fifty parallel guesses never win a free try;
hash next, the same work for unknown, inactive, unusable and wrong; answer last, the same words for all four.
Where there is no room to hash, nobody is looked up at all: in a flood of sign-ins that is most of the work.
"""

from typing import NoReturn

from accounts.identity.models import User
from accounts.identity.names import normalise_email
from accounts.identity.trail import company_subject, subject_of
from security.audit import Action, record_refusal, windows
from security.context import current
from security.errors import AccountLocked, Busy, InvalidCredentials
from security.hashing import burn, check_room, hash_slot
from security.lockout import Reservation, reserve


def verify_credentials(*, email: str, password: str) -> User:
    """The active person whose password this is.

    Raises AccountLocked (nothing was hashed), Busy (no try was taken, or it was given back) or InvalidCredentials
    (audited).
    """
    check_room()
    account = normalise_email(email)
    reservation = _reserve(account)
    user = User.objects.select_related("totp_device").filter(email=account).first()
    try:
        is_right = _matches(user, password)
    except Busy:
        reservation.give_back()
        raise
    if user is None or not is_right or not user.is_active:
        _refuse(user)
    reservation.clear()
    return user


def check_own_password(*, user: User, password: str) -> bool:
    """Whether `password` is that of a person already signed in; counted and locked like a sign-in.

    Raises AccountLocked or Busy. The caller records the refusal: it knows which act was refused.
    """
    check_room()
    reservation = _reserve(user.email)
    try:
        is_right = _matches(user, password)
    except Busy:
        reservation.give_back()
        raise
    if is_right:
        reservation.clear()
    return is_right


def _reserve(account: str) -> Reservation:
    try:
        return reserve(account=account, address=current().client.address)
    except AccountLocked:
        # One event a client and window: a locked door may be knocked at a thousand times a second.
        if windows.is_first(current().client.address, f"locked:{account}"):
            locked = User.objects.filter(email=account).first()
            record_refusal(Action.SESSION_LOCKED_OUT, target=subject_of(locked), company=company_subject(locked))
        raise


def _matches(user: User | None, password: str) -> bool:
    if user is None or not user.has_usable_password():
        burn(password)
        return False
    with hash_slot():  # held once for the check and for the upgrade of an old hash that may follow
        return user.check_password(password)


def _refuse(user: User | None) -> NoReturn:
    record_refusal(
        Action.SESSION_CREATE_REFUSED,
        target=subject_of(user),
        company=company_subject(user),
        data={"factor": "password"},
    )
    raise InvalidCredentials
