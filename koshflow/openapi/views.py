"""`/api-docs`: the interactive page, and the document beside it. Open locally or by setting, else for staff."""

import threading
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from security.errors import NoToken
from security.public_document import public_document

_writing = threading.Lock()


def check_may_read(request: HttpRequest) -> None:
    """Raises NoToken but for staff whose stay in the admin lives; the page middleware shows nobody else."""
    if not settings.API_DOCS_PUBLIC and not (request.user.is_authenticated and request.user.is_staff):
        raise NoToken("Sign in to the admin to read the documentation.")


class DocumentView(APIView):
    """The OpenAPI document as JSON."""

    renderer_classes = [OpenApiJsonRenderer]
    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Before DRF takes over: it overwrites the cookie's `request.user` with the bearer's, here nobody.
        check_may_read(request)
        return super().dispatch(request, *args, **kwargs)

    @extend_schema(
        operation_id="openapi",
        summary="Read this document",
        responses={200: OpenApiTypes.OBJECT},
        tags=["documentation"],
    )
    def get(self, request: Request) -> HttpResponse:
        with _writing:  # the threads of a worker that has just started would each write it
            content = _document()
        return public_document(
            request._request,
            content,
            content_type=OpenApiJsonRenderer.media_type,
            cache_control="private, no-cache",  # kept by who may read it, and asked for again by its ETag
            Content_Disposition='inline; filename="KoshFlow API.json"',
        )


@cache
def _document() -> bytes:
    # Some 200 kB that follow from the code: a running process has them once, whoever asks.
    schema = SchemaGenerator().get_schema(request=None, public=True)
    content: bytes = OpenApiJsonRenderer().render(schema, renderer_context={})
    return content


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Swagger UI from our own static files, under the strict policy."""
    check_may_read(request)
    return render(request, "api_docs.html", {"nonce": request.csp_nonce})  # type: ignore[attr-defined]
