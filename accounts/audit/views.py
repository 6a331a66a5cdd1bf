"""The doors to a company's own audit trail. There is no company in the path: nobody can ask for another's."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from accounts.audit.parameters import PAGES, StrictQuery, row_id
from accounts.audit.serializers import (
    CheckpointSerializer,
    EventPageSerializer,
    EventSearchSerializer,
    ToldSerializer,
    event_row,
)
from accounts.audit.trail import read_told, read_trail
from accounts.company.views import own_company
from accounts.sessions.authentication import own_session
from security.pages import NewestFirst, foreign_cursor
from security.rbac import Permission, needs
from security.tlog import AuditCheckpoint

_CURSOR = OpenApiParameter("cursor", OpenApiTypes.STR, description=NewestFirst.cursor_query_description)
_PAGE_SIZE = OpenApiParameter("pageSize", OpenApiTypes.INT, description=NewestFirst.page_size_query_description)
_CRITERIA = tuple(EventSearchSerializer().fields)


class EventsView(StrictQuery):
    """What happened in your company."""

    permission_classes = [needs(Permission.AUDIT_VIEW)]

    def parameters(self) -> Collection[str]:
        return (*_CRITERIA, *PAGES)

    @extend_schema(
        operation_id="audit_events",
        summary="Search your company's audit trail",
        description=(
            "The newest first. People are named while they exist; staff of the service and who was erased are told by "
            "kind alone. A search by several criteria may answer with a short page and a `next`, instead of letting "
            "you wait. A parameter that is none of these is 400. Each look is itself an event of the trail."
        ),
        parameters=[EventSearchSerializer, _CURSOR, _PAGE_SIZE],
        responses={200: EventPageSerializer},
        tags=["audit"],
    )
    def get(self, request: Request) -> Response:
        form = EventSearchSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        company = own_company(request)
        trail = read_trail(
            by=own_session(request),
            company=company,
            wanted=form.wanted(),
            sought=form.validated_data,
            size=NewestFirst().get_page_size(request) or NewestFirst.page_size,
            before=_before(request.query_params.get("cursor")),
        )
        rows = [event_row(event, trail, company=company.pk) for event in trail.found.events]
        return Response({"results": rows, "next": _next(request, trail.found.next), "previous": None})


class EventView(StrictQuery):
    """One event of your company."""

    permission_classes = [needs(Permission.AUDIT_VIEW)]

    @extend_schema(
        operation_id="audit_event",
        summary="Read an event with its proof",
        description=(
            "`proof` shows offline that the event stands in the log as it was recorded: write `event` as JSON and "
            "`proof` as text into a file each, and give both to `verify_bundle.py` with the log's key. Verifier and "
            "key come from who runs this service, best before there is anything to prove: taken from this API they "
            "would prove nothing."
        ),
        parameters=[OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: ToldSerializer},
        tags=["audit"],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        told = read_told(by=own_session(request), company=own_company(request), event_id=pk)
        return Response(ToldSerializer(told).data)


class _LargestFirst(NewestFirst):
    """Checkpoints by size, which no two share."""

    ordering = ("-size",)  # type: ignore[assignment] # one column is enough

    def is_position(self, text: str) -> bool:
        return text.isascii() and text.isdigit()


class CheckpointsView(StrictQuery, mixins.ListModelMixin, viewsets.GenericViewSet[AuditCheckpoint]):
    """What the log has signed. Keep one elsewhere: nothing before it can be changed unseen."""

    permission_classes = [needs(Permission.AUDIT_VIEW)]
    serializer_class = CheckpointSerializer
    pagination_class = _LargestFirst
    queryset = AuditCheckpoint.objects.exclude(note="")

    def parameters(self) -> Collection[str]:
        return PAGES

    @extend_schema(
        operation_id="audit_checkpoints",
        summary="List what the audit log has signed",
        description="Of the whole log, not of your company alone: it holds a number and a hash, and no event.",
        tags=["audit"],
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    before = row_id(cursor)
    if before is None:
        raise foreign_cursor()
    return before


def _next(request: Request, before: int | None) -> str | None:
    return None if before is None else replace_query_param(request.build_absolute_uri(), "cursor", str(before))
