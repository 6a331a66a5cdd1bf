"""What staff see: people, companies, sessions, locks, the audit log; read-only, with the acts of `accounts.staff`."""

from accounts.admin.audit import AuditEventAdmin
from accounts.admin.companies import CompanyAdmin
from accounts.admin.lockouts import LockedAccountsAdmin
from accounts.admin.people import UserAdmin
from accounts.admin.posture import SecurityAuditRunAdmin
from accounts.admin.sessions import SessionAdmin

__all__ = [
    "AuditEventAdmin",
    "CompanyAdmin",
    "LockedAccountsAdmin",
    "SecurityAuditRunAdmin",
    "SessionAdmin",
    "UserAdmin",
]
