"""What a well-formed registration is."""

from collections.abc import Collection, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from accounts.identity.fields import EmailField, GstinField, PanField, PhoneField
from accounts.identity.gstin import GstinError, check_matches_pan
from accounts.identity.names import MAX_NAME_LENGTH
from accounts.registration.services import Registration, password_faults
from security.errors import FieldError
from security.sanitize import PlainTextField, SecretField

_WORDS = ("companyName", "companyEmail", "adminName", "adminEmail")


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

    def run_validation(self, data: Any = empty) -> Any:
        try:
            return super().run_validation(data)
        except serializers.ValidationError as error:
            wrong = error.detail
            # The service never sees this request; whoever corrects it should not learn of the password only then.
            if isinstance(wrong, dict) and (faults := self._password_faults(data, wrong=wrong)):
                beside = [serializers.ErrorDetail(fault.message, code=fault.code) for fault in faults]
                raise serializers.ValidationError({**wrong, "password": beside}) from error
            raise

    def _password_faults(self, data: Any, *, wrong: Collection[str]) -> list[FieldError]:
        """The password's, judged beside those of the person's words that are valid; none where it is `wrong` itself."""
        if not isinstance(data, Mapping) or "password" in wrong:
            return []
        words = [self.fields[name].run_validation(data[name]) for name in _WORDS if name not in wrong]
        return password_faults(data["password"], words=words)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("gstin") and attrs.get("pan"):
            try:
                check_matches_pan(attrs["gstin"], attrs["pan"])
            except GstinError as error:
                both = serializers.ErrorDetail(error.message, code=error.code)
                raise serializers.ValidationError({"gstin": [both], "pan": [both]}) from error
        return attrs
