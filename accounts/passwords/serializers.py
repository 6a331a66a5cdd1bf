"""What the password routes ask for."""

from typing import Any

from rest_framework import serializers

from accounts.identity.fields import EmailField
from security.sanitize import SecretField


class RequestResetSerializer(serializers.Serializer[Any]):
    """Whose password was forgotten."""

    email = EmailField()


class ResetPasswordSerializer(serializers.Serializer[Any]):
    """The token of the mail and the new password."""

    token = SecretField(max_length=256)
    newPassword = SecretField(source="new_password")  # noqa: N815 - the wire's name


class ChangePasswordSerializer(serializers.Serializer[Any]):
    """The present password and the new one; `confirmPassword`, where sent, must equal the new one."""

    currentPassword = SecretField(source="current_password")  # noqa: N815 - the wire's names
    newPassword = SecretField(source="new_password")  # noqa: N815
    confirmPassword = SecretField(source="confirm_password", required=False)  # noqa: N815

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        confirmation = attrs.pop("confirm_password", "")
        if confirmation and confirmation != attrs["new_password"]:
            raise serializers.ValidationError({"confirmPassword": "The two passwords differ."}, code="mismatch")
        return attrs
