"""/me by two ModelSerializers; the person is one SQL statement, their company a second."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.performance.stock.models import Company, User


class CompanySerializer(serializers.ModelSerializer[Company]):
    class Meta:
        model = Company
        fields = ["id", "name", "email", "phone", "gstin", "pan", "created_at"]


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "email", "first_name", "phone", "role", "is_active", "last_login", "date_joined"]


class MeView(APIView):
    """The person who asks, and their company."""

    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response({"user": UserSerializer(user).data, "company": CompanySerializer(user.company).data})
