"""What the session routes ask for and show."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from accounts.identity.documents import rfc3339
from accounts.sessions.models import Session
from security.errors import RefreshTokenRequired
from security.sanitize import SecretField, StrictBooleanField

_LONGEST = 2048


class RefreshSerializer(serializers.Serializer[Any]):
    """A refresh token to exchange."""

    refreshToken = SecretField(max_length=_LONGEST)  # noqa: N815 - the wire's name

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # Nearly every body. DRF copies the fields of each form that it reads, which is a thirtieth of a refresh.
        if isinstance(data, dict) and type(token := data.get("refreshToken")) is str and 0 < len(token) <= _LONGEST:
            return {"refreshToken": token}
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        token = data.get("refreshToken")
        if token in (None, ""):
            raise RefreshTokenRequired
        return super().to_internal_value(data)


class LogoutSerializer(serializers.Serializer[Any]):
    """`allDevices` true ends every session of the person."""

    allDevices = StrictBooleanField(required=False, default=False)  # noqa: N815


class MessageSerializer(serializers.Serializer[Any]):
    """What was done, for people."""

    message = serializers.CharField()


class SessionSerializer(serializers.Serializer[Session]):
    """One of your sessions."""

    id = serializers.UUIDField()
    createdAt = serializers.DateTimeField()  # noqa: N815
    lastUsedAt = serializers.DateTimeField()  # noqa: N815
    expiresAt = serializers.DateTimeField()  # noqa: N815
    client = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    current = serializers.BooleanField()

    def to_representation(self, instance: Session) -> dict[str, Any]:
        ends: datetime = min(instance.idle_until, instance.absolute_until)
        return {
            "id": str(instance.pk),
            "createdAt": rfc3339(instance.created_at),
            "lastUsedAt": rfc3339(instance.rotated_at),
            "expiresAt": rfc3339(ends),
            "client": instance.client_label,
            "address": instance.address,
            "current": instance.pk == self.context["current"].pk,
        }
