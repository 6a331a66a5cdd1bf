"""What a report may weigh and be called, decided before anybody reads it."""

from django.http import HttpRequest

from security.csp_reports.reports import LEGACY, REPORTS
from security.errors import PayloadTooLarge, UnsupportedMediaType

MAX_REPORT_BYTES = 8192


def read_report_body(request: HttpRequest) -> tuple[str, bytes]:
    """(media type, body) of `request`. Raises UnsupportedMediaType, PayloadTooLarge.

    The body's length was counted and stated by the middleware before, chunked or not.
    """
    media_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    is_packed = request.META.get("HTTP_CONTENT_ENCODING", "").lower() not in ("", "identity")
    if media_type not in (LEGACY, REPORTS) or is_packed:
        raise UnsupportedMediaType(f"Send {LEGACY} or {REPORTS}, uncompressed.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_REPORT_BYTES:
        raise PayloadTooLarge
    return media_type, request.body
