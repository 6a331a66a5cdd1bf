"""What the second-factor routes ask for and show."""

from typing import Any

from rest_framework import serializers

from accounts.identity.documents import rfc3339
from accounts.twofactor.services import Setup, State
from security.sanitize import SecretField

MAX_CODE_LENGTH = 64


class StartSetupSerializer(serializers.Serializer[Any]):
    """Your password, once more."""

    password = SecretField()


class ConfirmSetupSerializer(serializers.Serializer[Any]):
    """A code of the app that was just set up."""

    token = SecretField(max_length=MAX_CODE_LENGTH)


class ProvenActSerializer(serializers.Serializer[Any]):
    """A code of the app, or a recovery code; the password too where the sign-in is older than ten minutes."""

    token = SecretField(max_length=MAX_CODE_LENGTH)
    password = SecretField(required=False, default="")


class SetupSerializer(serializers.Serializer[Setup]):
    """What an authenticator app needs; shown this once."""

    secret = serializers.CharField()
    manualEntryKey = serializers.CharField(source="manual_entry_key")  # noqa: N815 - the wire's names
    otpauthUrl = serializers.CharField(source="otpauth_url")  # noqa: N815
    qrCode = serializers.CharField(source="qr_code", help_text="data:image/svg+xml, for <img src>")  # noqa: N815


class RecoveryCodesSerializer(serializers.Serializer[Any]):
    """Ten recovery codes; shown this once."""

    recoveryCodes = serializers.ListField(child=serializers.CharField())  # noqa: N815


class SecondFactorEnabledSerializer(RecoveryCodesSerializer):
    """The second factor is on."""

    message = serializers.CharField()
    enabled = serializers.BooleanField()


class SecondFactorDisabledSerializer(serializers.Serializer[Any]):
    """The second factor is off."""

    message = serializers.CharField()
    enabled = serializers.BooleanField()


class SecondFactorStateSerializer(serializers.Serializer[State]):
    """How your second factor stands."""

    enabled = serializers.BooleanField()
    confirmedAt = serializers.DateTimeField(allow_null=True)  # noqa: N815
    recoveryCodesLeft = serializers.IntegerField()  # noqa: N815

    def to_representation(self, instance: State) -> dict[str, Any]:
        return {
            "enabled": instance.enabled,
            "confirmedAt": rfc3339(instance.confirmed_at),
            "recoveryCodesLeft": instance.recovery_codes_left,
        }
