"""What a well-formed registration is."""

from typing import Any

from rest_framework import serializers

from accounts.identity.fields import EmailField, GstinField, PanField, PhoneField
from accounts.identity.gstin import GstinError, check_matches_pan
from accounts.identity.names import MAX_NAME_LENGTH
from accounts.registration.services import Registration
from security.sanitize import PlainTextField, SecretField


class RegisterSerializer(serializers.Serializer[Registration]):
    """A company, its administrator, and the company's optional identifiers."""

    companyName = PlainTextField(max_length=100, source="company_name")  # noqa: N815 - the wire's names
    companyEmail = EmailField(source="company_email")  # noqa: N815
    adminName = PlainTextField(max_length=MAX_NAME_LENGTH, source="admin_name")  # noqa: N815
    adminEmail = EmailField(source="admin_email")  # noqa: N815
    password = SecretField()
    phone = PhoneField(required=False, allow_null=True)
    gstin = GstinField(required=False, allow_null=True)
    pan = PanField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("gstin") and attrs.get("pan"):
            try:
                check_matches_pan(attrs["gstin"], attrs["pan"])
            except GstinError as error:
                both = serializers.ErrorDetail(error.message, code=error.code)
                raise serializers.ValidationError({"gstin": [both], "pan": [both]}) from error
        return attrs
