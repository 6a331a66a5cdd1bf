"""The doors of sessions: refresh, logout, and the list of one's own devices."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.sessions.authentication import own_session
from accounts.sessions.models import Session
from accounts.sessions.rotation import rotate_refresh_token
from accounts.sessions.serializers import (
    LogoutSerializer,
    MessageSerializer,
    RefreshSerializer,
    SessionSerializer,
    TokensSerializer,
    tokens_document,
)
from accounts.sessions.services import log_out, revoke_other_sessions, revoke_session
from security.errors import NotFound
from security.pages import NewestFirst


class RefreshView(APIView):
    """Exchange a refresh token for the next pair. Public: the token is the credential."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @extend_schema(
        operation_id="refresh",
        summary="Exchange a refresh token for the next pair",
        description=(
            "Public: the token is the credential, and works once. Within 10 seconds the same token gets the "
            "same answer; later, its session is closed."
        ),
        request=RefreshSerializer,
        responses={200: TokensSerializer},
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        form = RefreshSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(tokens_document(rotate_refresh_token(token=form.validated_data["refreshToken"])))


class LogoutView(APIView):
    """End this session, or with `allDevices` every one."""

    @extend_schema(
        operation_id="logout",
        summary="Sign out",
        description=(
            "Ends this session, or with `allDevices` every one of yours, at once and on every server. The body "
            "may be missing."
        ),
        request=LogoutSerializer,
        responses={200: MessageSerializer},
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        form = LogoutSerializer(data=request.data or {})
        form.is_valid(raise_exception=True)
        log_out(session=own_session(request), all_devices=form.validated_data["allDevices"])
        return Response({"message": "Signed out."}, headers={"Clear-Site-Data": '"cache", "cookies", "storage"'})


class SessionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Session]):
    """Your sessions: list them, end one, end all others."""

    serializer_class = SessionSerializer
    pagination_class = NewestFirst
    lookup_value_converter = "uuid"

    @extend_schema(
        operation_id="sessions_list",
        summary="List your sessions",
        description="Those that may still be used, the newest first; `current` marks the one of this request.",
        tags=["sessions"],
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Session]:
        session = own_session(self.request)
        return Session.objects.filter(user_id=session.user_id).alive(timezone.now()).select_related("user__subject")

    def get_serializer_context(self) -> dict[str, object]:
        return {**super().get_serializer_context(), "current": own_session(self.request)}

    @extend_schema(
        operation_id="session_end",
        summary="End one of your sessions",
        description="At once and on every server. A session of somebody else is not found.",
        parameters=[OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: MessageSerializer},
        tags=["sessions"],
    )
    def destroy(self, request: Request, pk: UUID | None = None) -> Response:
        if pk is None:
            raise NotFound
        revoke_session(by=own_session(request), session_id=pk)
        return Response({"message": "Session ended."})

    @extend_schema(
        operation_id="sessions_end_others",
        summary="End your other sessions",
        description="Every session of yours but the one of this request.",
        responses={200: MessageSerializer},
        tags=["sessions"],
    )
    def end_others(self, request: Request) -> Response:
        count = revoke_other_sessions(by=own_session(request))
        return Response({"message": f"Other sessions ended: {count}."})
