"""DRF permission classes over the policy table. A view names the permission it needs; nothing is allowed by default."""

from typing import Any, ClassVar

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from security.audit import Action, record_refusal
from security.errors import InsufficientPermissions, NoToken, SecondFactorSetupRequired
from security.rbac.policy import Permission, permissions_of


class SignedIn(BasePermission):
    """Anybody with a valid sign-in; staff, and under REQUIRE_2FA=all everybody, with a second factor too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user: Any = request.user  # the ground does not know the model of people, only what it asks of one
        if user is None:
            raise NoToken
        is_staff = user.role is None
        if (is_staff or settings.REQUIRE_2FA == "all") and not user.has_second_factor:
            _check_is_open(request, user)
        return True


def _check_is_open(request: Request, user: Any) -> None:
    """Raises SecondFactorSetupRequired unless the route is one that leads to a second factor, or out."""
    match = request.resolver_match
    if match is None or match.view_name not in settings.OPEN_BEFORE_SECOND_FACTOR:
        record_denial(user, code=SecondFactorSetupRequired.code.name)
        raise SecondFactorSetupRequired


def record_denial(user: Any, **data: str) -> None:
    """Mark that `user`, who is signed in at the API, may not do what they asked for; `data` says why."""
    company = user.company.subject if user.company else None
    record_refusal(Action.PERMISSION_DENIED, actor=user.subject, company=company, data=data)


class Needs(SignedIn):
    """Base of the classes `needs` makes: the role of the signed-in person must grant `permission`."""

    permission: ClassVar[Permission]

    def has_permission(self, request: Request, view: Any) -> bool:
        super().has_permission(request, view)
        user: Any = request.user  # the ground does not know the model of people, only that it has a role
        if self.permission in permissions_of(user.role):
            return True
        record_denial(user, permission=self.permission.value)
        raise InsufficientPermissions


def needs(permission: Permission) -> type[Needs]:
    """A permission class for `permission`, for a view's `permission_classes`."""
    return type(f"Needs_{permission.name}", (Needs,), {"permission": permission})
