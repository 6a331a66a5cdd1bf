"""Who may do what: one table of roles and permissions. Who *has* a role is data of accounts."""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Role(StrEnum):
    """Role of a person in their company."""

    ADMIN = "ADMIN"
    ACCOUNTANT = "ACCOUNTANT"
    VIEWER = "VIEWER"
    CUSTOMER = "CUSTOMER"
    VENDOR = "VENDOR"


class Permission(StrEnum):
    """What a permission lets you do; clients see these names in `permissions`."""

    COMPANY_VIEW = "company.view"
    COMPANY_MANAGE = "company.manage"
    # See phone, GSTIN and PAN whole instead of masked.
    COMPANY_IDENTIFIERS_VIEW = "company.identifiers.view"
    # Read the company's own audit trail, and take its proofs.
    AUDIT_VIEW = "audit.view"


_EVERYTHING = frozenset(Permission)
_POLICY: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: _EVERYTHING,
    Role.ACCOUNTANT: frozenset({Permission.COMPANY_VIEW, Permission.COMPANY_IDENTIFIERS_VIEW}),
    Role.VIEWER: frozenset({Permission.COMPANY_VIEW}),
    Role.CUSTOMER: frozenset(),
    Role.VENDOR: frozenset(),
}


def permissions_of(role: str | None) -> frozenset[Permission]:
    """Permissions of `role`; none for a person without one (staff act in the admin, by their groups)."""
    return _POLICY[Role(role)] if role else frozenset()


def names(permissions: Iterable[Permission]) -> list[str]:
    """Sorted names, as clients see them."""
    return sorted(permission.value for permission in permissions)
