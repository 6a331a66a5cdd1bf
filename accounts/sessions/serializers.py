"""What the session routes ask for and show."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from accounts.identity.documents import rfc3339
from accounts.sessions.backend import MAX_TOKEN_LENGTH
from accounts.sessions.models import Session
from accounts.sessions.services import TokenPair
from security.errors import RefreshTokenRequired
from security.sanitize import SecretField, StrictBooleanField


class RefreshSerializer(serializers.Serializer[Any]):
    """A refresh token to exchange."""

    refreshToken = SecretField(max_length=MAX_TOKEN_LENGTH)  # noqa: N815 - the wire's name

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # Nearly every body. DRF copies the fields of each form that it reads, which is a thirtieth of a refresh.
        token = data.get("refreshToken") if isinstance(data, dict) else None
        if type(token) is str and 0 < len(token) <= MAX_TOKEN_LENGTH:
            return {"refreshToken": token}
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        token = data.get("refreshToken")
        if token in (None, ""):
            raise RefreshTokenRequired
        return super().to_internal_value(data)


class TokensSerializer(serializers.Serializer[Any]):
    """A pair of tokens; `expiresIn` is the access token's life in seconds."""

    accessToken = serializers.CharField()  # noqa: N815 - the wire's names
    refreshToken = serializers.CharField()  # noqa: N815
    tokenType = serializers.ChoiceField(choices=["Bearer"])  # noqa: N815
    expiresIn = serializers.IntegerField()  # noqa: N815


def tokens_document(pair: TokenPair) -> dict[str, Any]:
    """The members of the tokens, in the answers of sign-in and of refresh."""
    return {
        "accessToken": pair.access,
        "refreshToken": pair.refresh,
        "tokenType": "Bearer",
        "expiresIn": pair.expires_in,
    }


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
