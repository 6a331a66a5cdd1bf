"""Bounds what a request may carry before anybody parses it: method, length, encoding, content type, query string."""

from collections.abc import Callable
from io import BytesIO
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from gunicorn.http.errors import NoMoreData, ParseException

from security.errors import (
    LengthRequired,
    MalformedRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    Problem,
    RepeatedParameter,
    UnsupportedMediaType,
    UriTooLong,
)
from security.errors.documents import problem_response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_QUERY_BYTES = 8192
_MAX_PARAMETERS = 100


class BodyMiddleware:
    """405 for unknown methods, 413 by declared or counted length, 415 for other than JSON, 414 and 400 for queries."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            if request.method not in METHODS:
                raise MethodNotAllowed(headers={"Allow": ", ".join(METHODS)})
            if request.META.get("QUERY_STRING"):
                check_query(request.META["QUERY_STRING"], is_api=request.path_info.startswith("/api/"))
            if request.method not in ("GET", "HEAD", "OPTIONS"):
                check_body(request)
        except Problem as problem:
            return problem_response(problem, request)
        return self.get_response(request)


def check_query(query: str, *, is_api: bool) -> None:
    """Raises UriTooLong, RepeatedParameter (HTTP parameter pollution; API only, the admin repeats filters)."""
    if len(query) > MAX_QUERY_BYTES:
        raise UriTooLong
    if not is_api:
        return
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise MalformedRequest("The query has too many parameters.") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise RepeatedParameter


def check_body(request: HttpRequest) -> None:
    """Raises LengthRequired, PayloadTooLarge, MalformedRequest or UnsupportedMediaType; reads a chunked body."""
    meta = request.META
    length_text = meta.get("CONTENT_LENGTH") or ""
    if meta.get("HTTP_TRANSFER_ENCODING"):
        length = _read_chunked(request)
    elif length_text:
        if not length_text.isascii() or not length_text.isdigit():
            raise MalformedRequest("Content-Length is not a number.")
        length = int(length_text) if len(length_text) <= 12 else settings.MAX_BODY_BYTES + 1
        if length > settings.MAX_BODY_BYTES:
            raise PayloadTooLarge
    else:
        length = 0
    if length and request.path_info.startswith("/api/"):
        check_content_type(meta.get("CONTENT_TYPE", ""), meta.get("HTTP_CONTENT_ENCODING", ""))


def check_content_type(content_type: str, content_encoding: str) -> None:
    """Raises UnsupportedMediaType unless the body is JSON in UTF-8, not compressed (a bomb unpacks later)."""
    media_type, _, parameters = content_type.lower().partition(";")
    if media_type.strip() != "application/json" or content_encoding.lower() not in ("", "identity"):
        raise UnsupportedMediaType
    parameters = parameters.replace(" ", "").replace('"', "")
    if parameters not in ("", "charset=utf-8"):
        raise UnsupportedMediaType("Send JSON in UTF-8.")


def _read_chunked(request: HttpRequest) -> int:
    """Length of the chunked body, which is read whole: Django itself reads none without a Content-Length."""
    if request.META["HTTP_TRANSFER_ENCODING"].lower() != "chunked":
        raise LengthRequired
    try:
        body = request.environ["wsgi.input"].read(settings.MAX_BODY_BYTES + 1)  # type: ignore[attr-defined]
    except (ParseException, NoMoreData) as error:  # the server reads chunks only when somebody asks for them
        raise MalformedRequest("The chunked body cannot be read.") from error
    if len(body) > settings.MAX_BODY_BYTES:
        raise PayloadTooLarge
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)  # the seam WSGIRequest itself fills from CONTENT_LENGTH
    return len(body)
