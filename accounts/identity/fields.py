"""Serializer fields for the identifiers of people and companies. What is well formed is said by the pure modules."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import EmailValidator
from rest_framework import serializers

from accounts.identity import gstin, pan, phone
from accounts.identity.mistyped import MistypedError
from accounts.identity.names import MAX_EMAIL_LENGTH, normalise_email

_MAX_IDENTIFIER_LENGTH = 64


class _IdentifierField(serializers.Field[Any, Any, str, Any]):
    """A string that a pure module parses; blank and optional means absent (None)."""

    default_error_messages = {"invalid": "This must be a string.", "blank": "This field may not be blank."}
    parse: Callable[[str], Any]

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        # Length first: what is too long is no blank either, and the parser refuses its beginning for its length.
        if len(data) <= _MAX_IDENTIFIER_LENGTH and not data.strip():
            if self.required:
                self.fail("blank")
            return None
        try:
            return type(self).parse(data[: _MAX_IDENTIFIER_LENGTH + 1])
        except MistypedError as error:
            raise serializers.ValidationError(error.message, code=error.code) from error


class GstinField(_IdentifierField):
    """A GSTIN, as a parsed `Gstin`."""

    parse = staticmethod(gstin.parse)


class PanField(_IdentifierField):
    """A PAN, as a parsed `Pan`."""

    parse = staticmethod(pan.parse)


class PhoneField(_IdentifierField):
    """An Indian mobile number, as E.164 text."""

    parse = staticmethod(phone.to_e164)


class EmailField(serializers.Field[str, Any, str, Any]):
    """An e-mail address, normalised."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "blank": "This field may not be blank.",
        "max_length": f"An e-mail address has at most {MAX_EMAIL_LENGTH} characters.",
        "not_email": "Enter an e-mail address.",
        "domain": "Enter the address's domain in ASCII (its xn-- form).",
        "address_literal": "Enter the domain's name, not the address of a machine.",
    }
    _is_email = EmailValidator()

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if len(data) > MAX_EMAIL_LENGTH * 4:
            self.fail("max_length")
        email = normalise_email(data)
        if not email:
            self.fail("blank")
        if len(email) > MAX_EMAIL_LENGTH:
            self.fail("max_length")
        try:
            self._is_email(email)
        except DjangoValidationError:
            self.fail("not_email")
        if not email.rpartition("@")[2].isascii():
            # The old encoding that mail libraries still use turns `straße.de` into `strasse.de`: another's domain.
            self.fail("domain")
        if email.endswith("]"):
            # Anybody may ask for mails to what they register: the relay would carry them to a machine of their choice,
            # inside our network too.
            self.fail("address_literal")
        return email
