"""The doors of the second factor. Signing in with it is `accounts.login`."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.sessions.authentication import own_session
from accounts.twofactor.serializers import (
    ConfirmSetupSerializer,
    ProvenActSerializer,
    RecoveryCodesSerializer,
    SecondFactorDisabledSerializer,
    SecondFactorEnabledSerializer,
    SecondFactorStateSerializer,
    SetupSerializer,
    StartSetupSerializer,
)
from accounts.twofactor.services import (
    confirm_setup,
    disable,
    regenerate_recovery_codes,
    start_setup,
    state,
)

_TAGS = ["second factor"]


class SecondFactorView(APIView):
    """How your second factor stands."""

    @extend_schema(
        operation_id="two_factor",
        summary="Read how your second factor stands",
        description="Whether it is on, since when, and how many recovery codes are left.",
        responses={200: SecondFactorStateSerializer},
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        return Response(SecondFactorStateSerializer(state(user=own_session(request).user)).data)


class StartSetupView(APIView):
    """Get a secret for an authenticator app; it does nothing until a code confirms it."""

    @extend_schema(
        operation_id="two_factor_setup",
        summary="Begin to set up the second factor",
        description=(
            "Answers with a secret for an authenticator app, also as a QR code. It does nothing until a code "
            "confirms it at `/api/auth/2fa/verify`; another call voids it."
        ),
        request=StartSetupSerializer,
        responses={200: SetupSerializer},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        form = StartSetupSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(SetupSerializer(start_setup(session=own_session(request), **form.validated_data)).data)


class ConfirmSetupView(APIView):
    """Turn the second factor on; your other sessions end."""

    @extend_schema(
        operation_id="two_factor_verify",
        summary="Turn the second factor on",
        description=(
            "Takes a code made with the secret of the set-up. The ten recovery codes of the answer are shown "
            "this once; your other sessions end."
        ),
        request=ConfirmSetupSerializer,
        responses={200: SecondFactorEnabledSerializer},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        form = ConfirmSetupSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        codes = confirm_setup(session=own_session(request), **form.validated_data)
        message = "The second factor is on. Keep the recovery codes: they are shown this once."
        return Response({"message": message, "enabled": True, "recoveryCodes": codes})


class DisableView(APIView):
    """Turn the second factor off; your other sessions end."""

    @extend_schema(
        operation_id="two_factor_disable",
        summary="Turn the second factor off",
        description=(
            "Needs a code of the app and, ten minutes after the sign-in, the password. Your other sessions end."
        ),
        request=ProvenActSerializer,
        responses={200: SecondFactorDisabledSerializer},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        form = ProvenActSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        disable(session=own_session(request), **form.validated_data)
        return Response({"message": "The second factor is off.", "enabled": False})


class RecoveryCodesView(APIView):
    """Replace your recovery codes by ten new ones."""

    @extend_schema(
        operation_id="two_factor_recovery_codes",
        summary="Replace your recovery codes",
        description=(
            "Needs a code of the app and, ten minutes after the sign-in, the password. The ten new ones are "
            "shown this once; the old open nothing any more."
        ),
        request=ProvenActSerializer,
        responses={200: RecoveryCodesSerializer},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        form = ProvenActSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(
            {"recoveryCodes": regenerate_recovery_codes(session=own_session(request), **form.validated_data)}
        )
