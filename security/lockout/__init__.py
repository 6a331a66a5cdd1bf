"""Lock-out's face: reserve a check before the credential is looked at, settle it after."""

from security.lockout.devices import forget_devices, is_known_device, purge_devices, remember_device
from security.lockout.kinds import Kind, full
from security.lockout.models import CredentialCounter
from security.lockout.names import account_digest
from security.lockout.services import Reservation, Unlocked, purge_counters, reserve, unlock
from security.lockout.standing import Lock, standing_locks

__all__ = [
    "CredentialCounter",
    "Kind",
    "Lock",
    "Reservation",
    "Unlocked",
    "account_digest",
    "forget_devices",
    "full",
    "is_known_device",
    "purge_counters",
    "purge_devices",
    "remember_device",
    "reserve",
    "standing_locks",
    "unlock",
]
