"""Serializer fields of our one kind of strictness: a string is a string, its length is checked before anything else."""

from typing import Any

from rest_framework import serializers

from security.sanitize.text import TextRefused, plain_text


class SecretField(serializers.Field[str, Any, str, Any]):
    """A password, code or token: a string taken byte for byte, never trimmed and never echoed."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "blank": "This field may not be blank.",
        "max_length": "This field is too long.",
    }

    def __init__(self, *, max_length: int = 1024, **options: Any) -> None:
        self.max_length = max_length
        super().__init__(write_only=True, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if len(data) > self.max_length:
            self.fail("max_length")
        if not data and self.required:
            self.fail("blank")
        return data

    def to_representation(self, value: str) -> str:
        raise AssertionError("a secret is never shown")


class PlainTextField(serializers.Field[str, Any, str, Any]):
    """A name or other line of text, normalised. A blank optional value means absent."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "blank": "This field may not be blank.",
        "max_length": "This field may have at most {max_length} characters.",
    }

    def __init__(self, *, max_length: int, **options: Any) -> None:
        self.max_length = max_length
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if len(data) > self.max_length * 4:  # before the costly look at each character
            self.fail("max_length", max_length=self.max_length)
        try:
            text = plain_text(data)
        except TextRefused as error:
            raise serializers.ValidationError(str(error), code="control_character") from error
        if len(text) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if not text and self.required:
            self.fail("blank")
        return text

    def to_representation(self, value: str) -> str:
        return value


class StrictBooleanField(serializers.BooleanField):
    """true or false, and nothing that looks like them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input="this value")
        return data
