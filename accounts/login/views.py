"""The doors of sign-in. Public: an Authorization header that happens to come along is ignored."""

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.login.serializers import (
    ChallengeAnswerSerializer,
    CodeNeededSerializer,
    LoginSerializer,
    SignInSerializer,
    login_document,
    login_form,
)
from accounts.login.services import log_in


class LoginView(APIView):
    """Sign in with e-mail and password; where the second factor is on, with a code beside them or after them."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @extend_schema(
        operation_id="login",
        summary="Sign in",
        request=PolymorphicProxySerializer(
            component_name="LoginForm",
            serializers=[LoginSerializer, ChallengeAnswerSerializer],
            resource_type_field_name=None,
        ),
        responses={
            200: PolymorphicProxySerializer(
                component_name="LoginAnswer",
                serializers=[SignInSerializer, CodeNeededSerializer],
                resource_type_field_name=None,
            )
        },
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        form = login_form(request.data)
        form.is_valid(raise_exception=True)
        return Response(login_document(log_in(**form.validated_data)))
