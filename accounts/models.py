"""Where Django finds the models of the features."""

from accounts.audit.models import AuditExport
from accounts.erasure.models import LegalHold, Withheld
from accounts.identity.models import Company, User
from accounts.passwords.models import PasswordReset
from accounts.sessions.models import Session
from accounts.twofactor.models import Challenge, RecoveryCode, TotpDevice

__all__ = [
    "AuditExport",
    "Challenge",
    "Company",
    "LegalHold",
    "PasswordReset",
    "RecoveryCode",
    "Session",
    "TotpDevice",
    "User",
    "Withheld",
]
