"""Staff: people without a company who act in the admin, by the groups they are in."""

from accounts.staff.roles import StaffRole
from accounts.staff.services import StaffExists, create_staff, has_staff

__all__ = ["StaffExists", "StaffRole", "create_staff", "has_staff"]
