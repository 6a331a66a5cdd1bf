"""Plain text and the serializer fields that hold it to its rules. Secrets pass untouched."""

from security.sanitize.fields import PlainTextField, SecretField, StrictBooleanField
from security.sanitize.text import TextRefused, plain_text

__all__ = ["PlainTextField", "SecretField", "StrictBooleanField", "TextRefused", "plain_text"]
