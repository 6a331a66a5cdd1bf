"""Declared shapes of a person and a company, for the OpenAPI document; the values come from `documents`."""

from typing import Any

from rest_framework import serializers

from accounts.identity.documents import user_document
from accounts.identity.models import User
from accounts.identity.names import MAX_NAME_LENGTH
from security.rbac import Role


class UserSerializer(serializers.Serializer[User]):
    """A person, as shown to themselves."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(max_length=MAX_NAME_LENGTH)
    phone = serializers.CharField(allow_null=True, help_text="E.164")
    role = serializers.ChoiceField(choices=[role.value for role in Role], allow_null=True)
    isActive = serializers.BooleanField()  # noqa: N815 - the wire's name
    isTwoFactorEnabled = serializers.BooleanField()  # noqa: N815
    lastLogin = serializers.DateTimeField(allow_null=True)  # noqa: N815
    createdAt = serializers.DateTimeField()  # noqa: N815
    permissions = serializers.ListField(child=serializers.CharField())

    def to_representation(self, instance: User) -> dict[str, Any]:
        return user_document(instance)


class CompanySerializer(serializers.Serializer[Any]):
    """A company; identifiers are masked for roles that may not see them."""

    id = serializers.UUIDField()
    name = serializers.CharField(max_length=100)
    email = serializers.EmailField()
    phone = serializers.CharField(allow_null=True)
    gstin = serializers.CharField(allow_null=True)
    pan = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()  # noqa: N815
