"""The door of registration. Public."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.login.serializers import SignInSerializer, sign_in_document
from accounts.registration.serializers import RegisterSerializer
from accounts.registration.services import Registration, register


class RegisterView(APIView):
    """Register a company and the person who administers it."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @extend_schema(
        operation_id="register",
        summary="Register a company and its administrator",
        description="Public. Answers with tokens, as signing in does.",
        request=RegisterSerializer,
        responses={201: SignInSerializer},
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        form = RegisterSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sign_in = register(Registration(**form.validated_data))
        return Response(sign_in_document(sign_in, message="Company registered."), status=201)
