"""Django's door to people: it finds the person of a stay in the admin, and admits nobody by a password."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.identity.models import User


class PasswordBackend(ModelBackend):
    """Rights of staff come from their groups."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:  # type: ignore[override]
        """Nobody: Django's own would compare a password without counting the try. `accounts.login.credentials` does."""

    def get_user(self, user_id: Any) -> User | None:
        try:
            user = User.objects.filter(pk=UUID(str(user_id))).first()
        except ValueError:
            return None
        return user if user is not None and self.user_can_authenticate(user) else None
