"""What the company's route asks for."""

from typing import Any

from rest_framework import serializers

from accounts.identity.fields import PhoneField
from security.sanitize import PlainTextField


class UpdateCompanySerializer(serializers.Serializer[Any]):
    """What may change: a member left out stays, a blank or null phone is removed. GSTIN, PAN and e-mail stay."""

    name = PlainTextField(max_length=100, required=False)
    phone = PhoneField(required=False, allow_null=True)
