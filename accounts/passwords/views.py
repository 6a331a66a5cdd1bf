"""The doors of passwords."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.passwords.reset import queue_password_reset, reset_password
from accounts.passwords.serializers import (
    ChangePasswordSerializer,
    RequestResetSerializer,
    ResetPasswordSerializer,
)
from accounts.passwords.services import change_password
from accounts.sessions.authentication import own_session
from accounts.sessions.serializers import MessageSerializer


class ChangePasswordView(APIView):
    """Change your password; your other sessions end."""

    @extend_schema(
        operation_id="change_password",
        summary="Change your password",
        description="Your other sessions end; this one goes on.",
        request=ChangePasswordSerializer,
        responses={200: MessageSerializer},
        tags=["passwords"],
    )
    def post(self, request: Request) -> Response:
        form = ChangePasswordSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        change_password(session=own_session(request), **form.validated_data)
        return Response({"message": "Password changed. Your other sessions were ended."})


class RequestResetView(APIView):
    """Ask for a reset mail. Public; the answer is the same whether or not the address is known."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @extend_schema(
        operation_id="password_reset",
        summary="Ask for a reset mail",
        description=(
            "Public. The answer is the same whether or not the address is known. The link is good for ten minutes."
        ),
        request=RequestResetSerializer,
        responses={202: MessageSerializer},
        tags=["passwords"],
    )
    def post(self, request: Request) -> Response:
        form = RequestResetSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        queue_password_reset(**form.validated_data)
        return Response({"message": "If this address is known, a mail is on its way."}, status=202)


class ResetPasswordView(APIView):
    """Set a new password with the token of the mail. Public; it does not sign you in."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @extend_schema(
        operation_id="password_reset_confirm",
        summary="Set a new password with the token of the mail",
        description=(
            "Public. The token works once. It does not sign you in, leaves the second factor on, and ends all "
            "your sessions."
        ),
        request=ResetPasswordSerializer,
        responses={200: MessageSerializer},
        tags=["passwords"],
    )
    def post(self, request: Request) -> Response:
        form = ResetPasswordSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        reset_password(**form.validated_data)
        return Response({"message": "Password changed. Sign in with it."})
