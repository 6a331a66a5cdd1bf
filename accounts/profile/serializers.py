"""What /me shows and takes."""

from typing import Any

from rest_framework import serializers

from accounts.identity.fields import PhoneField
from accounts.identity.names import MAX_NAME_LENGTH
from accounts.identity.serializers import CompanySerializer, UserSerializer
from security.sanitize import PlainTextField


class ProfileSerializer(serializers.Serializer[Any]):
    """You and your company."""

    user = UserSerializer()
    company = CompanySerializer(allow_null=True)


class UpdateProfileSerializer(serializers.Serializer[Any]):
    """What a person may change about themselves; a member left out stays, a blank or null phone is removed."""

    name = PlainTextField(max_length=MAX_NAME_LENGTH, required=False)
    phone = PhoneField(required=False, allow_null=True)
