"""Checks an e-mail and a password: the one place where a password is compared, for the API and the admin alike.

The order is the defence. Count first, so that a killed worker or fifty parallel guesses never win a free try;
hash next, the same work for unknown, inactive, unusable and wrong; answer last, the same words for all four.
Where there is no room to hash, nobody is looked up at all: in a flood of sign-ins that is most of the work.
"""

from collections.abc import Mapping
from functools import partial
from typing import NoReturn

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from accounts.identity.models import User
from accounts.identity.names import normalise_email
from accounts.identity.trail import company_subject, subject_of
from security.audit import Action, counted, record, record_refusal, windows
from security.context import current
from security.errors import AccountLocked, Busy, InvalidCredentials
from security.hashing import burn, check_room, hash_slot
from security.limits import hold_back
from security.lockout import Reservation, reserve

_FREE_FAILURES = 2
_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 0.5


def verify_credentials(*, email: str, password: str, staff_only: bool = False) -> User:
    """The active person whose password this is; with `staff_only` nobody but staff has one.

    Raises AccountLocked (nothing was hashed), Busy (no try was taken, or it was given back) or InvalidCredentials
    (audited).
    """
    check_room()
    account = normalise_email(email)
    reservation = _reserve(account)
    user = User.objects.select_related("totp_device").filter(email=account).first()
    # Not even compared at the staff door: a right password that forgave failures, or took the time of an upgrade, would
    # tell its guesser that it is right.
    is_admitted = not staff_only or user is None or user.is_staff
    try:
        is_right = _matches(user if is_admitted else None, password)
    except Busy:
        reservation.give_back()
        raise
    if user is None or not is_right or not user.is_active:
        _slow_down(reservation)
        _refuse(user, {} if is_admitted else {"surface": "admin", "reason": "not_staff"})
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


def _slow_down(reservation: Reservation) -> None:
    """The tier before the lock: the third wrong password from one place is answered a little later, the next more."""
    beyond = reservation.failures - _FREE_FAILURES
    if beyond > 0:
        hold_back(min(_LONGEST_DELAY_SECONDS, beyond * _DELAY_SECONDS), whom=reservation.own.key)


def _reserve(account: str) -> Reservation:
    try:
        return reserve(account=account, address=current().client.address)
    except AccountLocked:
        _mark_lock(account)
        raise


def _mark_lock(account: str) -> None:
    """One event an account, client and minute: a locked door may be knocked at a thousand times a second."""
    client = current().client.address
    repeats = windows.repeats_to_tell(client, f"locked:{account}")
    if repeats is None or not _has_slot(client):
        return
    locked = User.objects.filter(email=account).first()
    record_refusal(
        Action.SESSION_LOCKED_OUT,
        target=subject_of(locked),
        company=company_subject(locked),
        data=counted(repeats),
    )


def _has_slot(client: str) -> bool:
    """Whether fewer accounts were told of in this minute than the client can lock by guesses of its own.

    Locked as a whole, it may name another account each time. Whether the account exists must not matter here: known
    ones would answer later than unknown ones.
    """
    slots = settings.LOCKOUT_ADDRESS_LIMIT // settings.LOCKOUT_LIMIT
    return any(windows.is_first(client, f"locked:slot {number}") for number in range(slots))


def _matches(user: User | None, password: str) -> bool:
    if user is None or not user.has_usable_password():
        burn(password)
        return False
    with hash_slot():  # held once for the check and for the upgrade of an old hash that may follow
        return check_password(password, user.password, setter=partial(_renew_hash, user))


def _renew_hash(user: User, password: str) -> None:
    """Keep a right password's hash of yesterday as one of today; not where the password was changed meanwhile."""
    encoded = make_password(password)
    with transaction.atomic(durable=True):
        if User.objects.filter(pk=user.pk, password=user.password).update(password=encoded):
            record(Action.PASSWORD_REHASHED, target=user.subject, company=company_subject(user))
            user.password = encoded


def _refuse(user: User | None, why: Mapping[str, str]) -> NoReturn:
    record_refusal(
        Action.SESSION_CREATE_REFUSED,
        target=subject_of(user),
        company=company_subject(user),
        data={"factor": "password", **why},
    )
    raise InvalidCredentials
