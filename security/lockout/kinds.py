"""The kinds of counters, and how many checks each allows. How they are counted is `counters.py`'s matter."""

from enum import StrEnum

from django.conf import settings
from django.db.models import Q

KNOWN_DEVICE = "device"  # in place of an address: a counter of known devices


class Kind(StrEnum):
    """What one counter counts the checks of."""

    PAIR = "pair"  # an account at an address
    ACCOUNT = "account"  # an account, from everywhere
    ADDRESS = "address"  # an address, whatever the account
    DEVICE = "device"  # an account on one of its known devices
    DEVICES = "devices"  # all known devices of one network


_LIMITS = {
    Kind.PAIR: "LOCKOUT_LIMIT",
    Kind.ACCOUNT: "LOCKOUT_ACCOUNT_LIMIT",
    Kind.ADDRESS: "LOCKOUT_ADDRESS_LIMIT",
    Kind.DEVICE: "LOCKOUT_DEVICE_LIMIT",
    Kind.DEVICES: "LOCKOUT_DEVICES_LIMIT",
}
_NO_ACCOUNT, _NO_ADDRESS, _KNOWN = Q(account=""), Q(address=""), Q(address=KNOWN_DEVICE)
_ROWS = {
    Kind.PAIR: ~_NO_ACCOUNT & ~_NO_ADDRESS & ~_KNOWN,
    Kind.ACCOUNT: _NO_ADDRESS,
    Kind.ADDRESS: _NO_ACCOUNT & ~_KNOWN,
    Kind.DEVICE: ~_NO_ACCOUNT & _KNOWN,
    Kind.DEVICES: _NO_ACCOUNT & _KNOWN,
}


def kind_of(*, account: str, address: str) -> Kind:
    """The kind of the counter with these digests, as in CredentialCounter."""
    if address == KNOWN_DEVICE:
        return Kind.DEVICE if account else Kind.DEVICES
    if not account:
        return Kind.ADDRESS
    return Kind.PAIR if address else Kind.ACCOUNT


def limit_of(kind: Kind) -> int:
    """How many checks a counter of `kind` allows in its window."""
    limit: int = getattr(settings, _LIMITS[kind])
    return limit


def full() -> Q:
    """Counters that refuse the next check, if their window is not over."""
    condition = Q()
    for kind, rows in _ROWS.items():
        condition |= rows & Q(count__gte=limit_of(kind))
    return condition
