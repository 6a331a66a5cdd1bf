"""Tells drf-spectacular what our serializer fields and our authentication are."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema


class BearerScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer <accessToken>`."""

    target_class = "accounts.sessions.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `accessToken` that signing in answered with; without the word Bearer.",
        }


class _Text(OpenApiSerializerFieldExtension):
    """Base: a string with the limits of the field instance itself, so that document and code cannot differ."""

    schema: dict[str, Any] = {}

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        limits = {"maxLength": self.target.max_length} if hasattr(self.target, "max_length") else {}
        least = {"minLength": 1} if self.target.required else {}
        return {"type": "string", **self.schema, **limits, **least}


class SecretText(_Text):
    target_class = "security.sanitize.fields.SecretField"
    schema = {"format": "password"}


class PlainText(_Text):
    target_class = "security.sanitize.fields.PlainTextField"


class Email(_Text):
    target_class = "accounts.identity.fields.EmailField"
    schema = {"format": "email", "maxLength": 254}


class LoginEmail(_Text):
    target_class = "accounts.login.serializers.LoginEmailField"
    schema = {"maxLength": 254}


class Gstin(_Text):
    target_class = "accounts.identity.fields.GstinField"
    schema = {"description": "15 characters; the last is a check character.", "maxLength": 64}


class Pan(_Text):
    target_class = "accounts.identity.fields.PanField"
    schema = {"description": "10 characters, AAAAA9999A.", "maxLength": 64}


class Phone(_Text):
    target_class = "accounts.identity.fields.PhoneField"
    schema = {
        "description": "Indian mobile number; spaces, hyphens, 0 and +91 are accepted.",
        "maxLength": 64,
    }
