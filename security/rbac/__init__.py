"""Roles and permissions as policy: the table, and the DRF classes that hold it."""

from security.rbac.permissions import SignedIn, needs, record_denial
from security.rbac.policy import Permission, Role, names, permissions_of

__all__ = ["Permission", "Role", "SignedIn", "names", "needs", "permissions_of", "record_denial"]
