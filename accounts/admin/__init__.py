"""What staff see of accounts: people, companies, sessions, locks, all read-only, with the acts of `accounts.staff`."""

from accounts.admin.companies import CompanyAdmin
from accounts.admin.lockouts import LockedAccountsAdmin
from accounts.admin.people import UserAdmin
from accounts.admin.posture import SecurityAuditRunAdmin
from accounts.admin.sessions import SessionAdmin

__all__ = ["CompanyAdmin", "LockedAccountsAdmin", "SecurityAuditRunAdmin", "SessionAdmin", "UserAdmin"]
