"""The doors to exports of the audit log: of one's own company for its ADMIN, of the whole for auditors among staff."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit.export_serializers import CreateExportSerializer, ExportSerializer
from accounts.audit.exports import FORMS, create_export, download_export, exports_of, find_export
from accounts.audit.log_views import Auditors
from accounts.audit.models import AuditExport
from accounts.audit.parameters import PAGES, StrictQuery
from accounts.identity.models import Company
from accounts.sessions.authentication import own_session
from security.one_form import OneForm
from security.pages import NewestFirst
from security.rbac import Permission, needs

_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)


def _readers(request: Request) -> list[Any]:
    """Staff have no company and no role: theirs is the whole log, by their group."""
    is_staff = request.user is not None and own_session(request).user.company is None
    return [Auditors()] if is_staff else [needs(Permission.AUDIT_VIEW)()]


def _company(request: Request) -> Company | None:
    """Whose events are exported; None is the whole log, and `_readers` has let in only whom that is for."""
    return own_session(request).user.company


class ExportsView(StrictQuery, mixins.ListModelMixin, viewsets.GenericViewSet[AuditExport]):
    """Exports that were asked for."""

    serializer_class = ExportSerializer
    pagination_class = NewestFirst
    queryset = AuditExport.objects.none()  # for the document; whose are asked for is known with the request

    def get_permissions(self) -> list[Any]:
        return _readers(self.request)

    def parameters(self) -> Collection[str]:
        return PAGES if self.action == "list" else ()

    def get_queryset(self) -> Any:
        return exports_of(_company(self.request)) if self.request.auth else self.queryset

    @extend_schema(
        operation_id="audit_exports",
        summary="List exports of the audit log",
        description="Your company's, the newest first; for auditors among staff those of the whole log. The last 500.",
        tags=["audit"],
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="audit_export",
        summary="Read an export of the audit log",
        description="What is in it and where its file is. Another company's is not found.",
        parameters=[_ID],
        responses={200: ExportSerializer},
        tags=["audit"],
    )
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(find_export(company=_company(request), pk=pk)).data)

    @extend_schema(
        operation_id="audit_export_create",
        summary="Ask for an export of the audit log",
        description=(
            "Give a financial year, or `from` and `to`. It holds what is sealed now: `size` and `checkpoint` say what "
            "that is. Its file has the same bytes whenever it is read, as long as none of it is archived. `csv` and "
            "`jsonl` name people by pseudonym and end with the SHA-256 of all before; `bundle` is a zip file that "
            "`verify_bundle.py` proves offline (where that comes from is said at `GET /api/audit/events/{id}`)."
        ),
        request=CreateExportSerializer,
        responses={201: ExportSerializer},
        tags=["audit"],
    )
    def create(self, request: Request) -> Response:
        form = CreateExportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        export = create_export(by=own_session(request), company=_company(request), **form.asked())
        return Response(self.get_serializer(export).data, status=201)


class ExportFileView(StrictQuery):
    """The bytes of an export."""

    content_negotiation_class = OneForm

    def get_permissions(self) -> list[Any]:
        return _readers(self.request)

    @extend_schema(
        operation_id="audit_export_file",
        summary="Read the file of an export",
        description=(
            "One download at a time (429 with Retry-After), and few of all companies (503 with Retry-After). It ends "
            "when your sign-in does, after ten minutes, and where you take less than a megabyte in ten seconds while "
            "others wait: the connection then closes in the middle. A whole file ends with its SHA-256, or is a zip "
            "file. Once events of its time were archived it is 404 (`ARCHIVED`): ask for a new export."
        ),
        parameters=[_ID],
        responses={(200, media_type.partition(";")[0]): OpenApiTypes.BINARY for media_type, _ in FORMS.values()},
        tags=["audit"],
    )
    def get(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        export, download = download_export(by=own_session(request), company=_company(request), pk=pk)
        media_type, ending = FORMS[export.form]
        name = f"audit-{export.financial_year or export.pk}.{ending}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(download, content_type=media_type, headers=headers)
