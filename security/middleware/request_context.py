"""Outermost: gives each request its id, client address and trace, so that every refusal carries them."""

import re
from collections.abc import Callable
from secrets import token_hex

from django.http import HttpRequest, HttpResponse

from security import context
from security.client_ip import client_address
from security.errors.handlers import answer
from security.redaction import scrub
from security.stored_headers import put

# As proxies and programs make them. One word of small letters and digits, longer than a mobile number without its
# country, is none of the shapes that `scrub` looks for; a test holds that. A UUID is none either.
_GENERATED_ID = re.compile(r"[0-9a-z]{11,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class RequestContextMiddleware:
    """Keeps a sane incoming X-Request-ID, else makes one; accepts W3C traceparent (Trace Context §3.2)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        request_id = meta.get("HTTP_X_REQUEST_ID", "")
        if not _GENERATED_ID.fullmatch(request_id) and not _may_be_kept(request_id):
            request_id = token_hex(16)
        trace = _TRACEPARENT.fullmatch(meta.get("HTTP_TRACEPARENT", ""))
        address = client_address(peer=meta.get("REMOTE_ADDR", ""), forwarded_for=meta.get("HTTP_X_FORWARDED_FOR", ""))
        client = context.Client(address=address, user_agent=meta.get("HTTP_USER_AGENT", "")[:512])
        with context.bind(context.RequestContext(request_id, client, trace[1] if trace else "")):
            response = self.get_response(request)
        put(response, {"x-request-id": ("X-Request-ID", request_id)})
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        """Exceptions of plain Django views; DRF answers its own through the same function."""
        return answer(exception, request)


def _may_be_kept(request_id: str) -> bool:
    # It stays in logs and events for ever: none that looks like a phone number or a PAN.
    return _SANE_ID.fullmatch(request_id) is not None and scrub(request_id) == request_id
