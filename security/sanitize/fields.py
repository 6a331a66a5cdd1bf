"""Serializer fields of our one kind of strictness: a string is a string, its length is checked before anything else."""

from typing import Any

from rest_framework import serializers

from security.sanitize.text import TextRefused, plain_text


class SecretField(serializers.Field[str, Any, str, Any]):
    """A password, code or token: a string taken byte for byte, never trimmed and never echoed; without NUL."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "blank": "This field may not be blank.",
        "max_length": "This field is too long.",
        "null_characters_not_allowed": "Null characters are not allowed.",
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
        if "\0" in data:  # which no form of a browser can send again
            self.fail("null_characters_not_allowed")
        return data

    def to_representation(self, value: str) -> str:
        raise AssertionError("a secret is never shown")


class PlainTextField(serializers.Field[str, Any, str, Any]):
    """A name or other line of text, as `plain_text` leaves it; a blank one is refused, also where it may be left out.

    What is nothing but markup is blank: a person named `<br>` has sent no name.
    """

    default_error_messages = {
        "invalid": "This must be a string.",
        "blank": "This field may not be blank.",
    }

    def __init__(self, *, max_length: int, **options: Any) -> None:
        self.max_length = max_length
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            text = plain_text(data, max_length=self.max_length)
        except TextRefused as error:
            raise serializers.ValidationError(error.message, code=error.code) from error
        if not text:
            self.fail("blank")
        return text


class StrictBooleanField(serializers.BooleanField):
    """true or false, and nothing that looks like them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input="this value")
        return data
