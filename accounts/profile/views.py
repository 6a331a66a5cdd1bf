"""The door to oneself. GET is the hottest route: one SQL statement, one cache look-up, no serializer."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.identity.documents import company_document, user_document
from accounts.identity.models import User
from accounts.profile.serializers import ProfileSerializer, UpdateProfileSerializer
from accounts.profile.services import update_profile
from accounts.sessions.authentication import own_session


def profile_document(user: User) -> dict[str, Any]:
    """The answer of both methods."""
    return {"user": user_document(user), "company": company_document(user.company, viewer=user)}


class MeView(APIView):
    """You and your company."""

    @extend_schema(
        operation_id="me",
        summary="Read your profile",
        description="You, your permissions and your company.",
        responses={200: ProfileSerializer},
        tags=["profile"],
    )
    def get(self, request: Request) -> Response:
        return Response(profile_document(own_session(request).user))

    @extend_schema(
        operation_id="me_update",
        summary="Change your name or phone",
        description="A member left out stays; a blank or null phone is removed.",
        request=UpdateProfileSerializer,
        responses={200: ProfileSerializer},
        tags=["profile"],
    )
    def patch(self, request: Request) -> Response:
        form = UpdateProfileSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(profile_document(update_profile(session=own_session(request), changes=form.validated_data)))
