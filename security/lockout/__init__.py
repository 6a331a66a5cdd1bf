"""Lock-out's face: reserve a check before the credential is looked at, settle it after."""

from security.lockout.devices import forget_devices, purge_devices, remember_device
from security.lockout.models import CredentialCounter
from security.lockout.services import Reservation, Unlocked, purge_counters, reserve, unlock

__all__ = [
    "CredentialCounter",
    "Reservation",
    "Unlocked",
    "forget_devices",
    "purge_counters",
    "purge_devices",
    "remember_device",
    "reserve",
    "unlock",
]
