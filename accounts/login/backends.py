"""Django's door to the same credential check: the admin's sign-in counts, hashes and refuses as the API's does."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.identity.models import User
from accounts.login.credentials import verify_credentials
from security.errors import AccountLocked, Busy, InvalidCredentials


class PasswordBackend(ModelBackend):
    """Verifies through `accounts.login.credentials`; rights of staff come from their groups."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        email = username or kwargs.get(User.USERNAME_FIELD)
        if email is None or password is None:
            return None
        try:
            return verify_credentials(email=str(email)[:254], password=password)
        except InvalidCredentials:
            return None
        except (AccountLocked, Busy) as refusal:
            if request is not None:
                request.sign_in_refusal = refusal  # type: ignore[attr-defined] # the form shows its sentence
            raise PermissionDenied from refusal

    def get_user(self, user_id: Any) -> User | None:
        try:
            user = User.objects.filter(pk=UUID(str(user_id))).first()
        except ValueError:
            return None
        return user if user is not None and self.user_can_authenticate(user) else None
