"""Lock-out's face: reserve a check before the credential is looked at, settle it after."""

from security.lockout.models import CredentialCounter
from security.lockout.services import Reservation, purge_counters, reserve, unlock

__all__ = ["CredentialCounter", "Reservation", "purge_counters", "reserve", "unlock"]
