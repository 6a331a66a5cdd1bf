"""The doors to the whole log as files (c2sp.org/tlog-tiles), for auditors among staff and their tools."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from accounts.audit import services
from accounts.audit.parameters import StrictQuery
from accounts.sessions.authentication import own_session
from security.errors import InsufficientPermissions, NotFound
from security.one_form import OneForm
from security.rbac import SignedIn, record_denial
from security.tlog import serve_tile, signed_tree

_TEXT, _BYTES = "text/plain; charset=utf-8", "application/octet-stream"
# What is full and signed stays as it is; but only who may read it may keep it.
_FOR_EVER = "private, max-age=31536000, immutable"


class Auditors(SignedIn):
    """Staff with the rights of an auditor, by their group, and a second factor."""

    def has_permission(self, request: Request, view: Any) -> bool:
        super().has_permission(request, view)
        user: Any = request.user
        if user.is_staff and user.has_perms(services.RIGHTS):
            return True
        record_denial(user, permission=services.RIGHTS[0])
        raise InsufficientPermissions


class _LogView(StrictQuery):
    permission_classes = [Auditors]
    content_negotiation_class = OneForm


class LogCheckpointView(_LogView):
    """What the log has signed last."""

    @extend_schema(
        operation_id="audit_log_checkpoint",
        summary="Read what the audit log signed last",
        description="Staff auditors only. As c2sp.org/tlog-tiles lays it out; the tiles are below the same prefix.",
        responses={(200, "text/plain"): OpenApiTypes.STR},
        tags=["audit"],
    )
    def get(self, request: Request) -> HttpResponse:
        last = signed_tree.read()
        if last is None:
            raise NotFound
        return HttpResponse(last["note"], content_type=_TEXT)


class LogTileView(_LogView):
    """One tile of hashes, or of events, which is marked: those name people, by pseudonym."""

    @extend_schema(
        operation_id="audit_log_tile",
        summary="Read a tile of the audit log",
        description="Staff auditors only. `0/x001/067` and `0/000.p/8` are hashes, `entries/000` events.",
        parameters=[OpenApiParameter("place", OpenApiTypes.STR, OpenApiParameter.PATH)],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        tags=["audit"],
    )
    def get(self, request: Request, place: str) -> HttpResponse:
        tile = serve_tile(place)
        if tile is None:
            raise NotFound
        if tile.events:
            services.record_entries_read(by=own_session(request), place=place, events=tile.events)
        headers = {"Cache-Control": _FOR_EVER} if tile.is_full else {}
        return HttpResponse(tile.content, content_type=_BYTES, headers=headers)
