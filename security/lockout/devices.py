"""Remembers where an account signs in from, so that a stranger's guesses cannot lock its owner out.

A device is the network and the client's family of a successful sign-in of the last 30 days. It proves nothing by
itself: it only has counters of its own, beside those that strangers can fill.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from security.audit import agent_family
from security.client_ip import network_of
from security.context import current
from security.crypto.blind_index import blind_index, blind_indexes
from security.lockout.models import KnownDevice
from security.lockout.names import account_digest, account_digests, normal_account

KEPT = timedelta(days=30)
_PLACE = {"table": "known_device", "column": "key"}


def device_key(account: str) -> str:
    """Keyed digest of `account` on the client of the present request."""
    return blind_index(**_PLACE, value=_device(account)).hex()


def remember_device(account: str, *, now: datetime | None = None) -> None:
    """The present client has just signed in to `account`. One statement."""
    device = KnownDevice(key=device_key(account), account=account_digest(account), seen_at=now or timezone.now())
    KnownDevice.objects.bulk_create([device], update_conflicts=True, update_fields=["seen_at"], unique_fields=["key"])


def is_known_device(account: str, *, now: datetime) -> bool:
    """Whether the present client signed in to `account` within the last 30 days."""
    # No plaintext is kept from which a rotation could make the digests anew: the old key finds them while it is there.
    keys = [index.hex() for index in blind_indexes(**_PLACE, value=_device(account))]
    return KnownDevice.objects.filter(pk__in=keys, seen_at__gt=now - KEPT).exists()


def forget_devices(account: str) -> int:
    """Trust no device of `account` any more: its password was changed or taken; how many there were."""
    return KnownDevice.objects.filter(account__in=account_digests(account)).delete()[0]


def purge_devices() -> int:
    """Delete devices not seen for 30 days; how many. Idempotent."""
    return KnownDevice.objects.filter(seen_at__lte=timezone.now() - KEPT).delete()[0]


def _device(account: str) -> str:
    client = current().client
    return f"{network_of(client.address)}|{agent_family(client.user_agent)}|{normal_account(account)}"
