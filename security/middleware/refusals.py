"""Leaves a mark of requests for what is not there, and of those that cannot be read; everything else marks itself."""

from collections.abc import Callable

from django.db import Error
from django.http import HttpRequest, HttpResponse

from security.audit import Action, Allowance, mark_refusal
from security.errors.handlers import answer

# Whoever looks for holes, or breaks parsers, is told of; what a form lacks (VALIDATION_FAILED) is everybody's.
_MARKED = {"NOT_FOUND": Action.REQUEST_NOT_FOUND_REFUSED} | dict.fromkeys(
    (
        "MALFORMED_REQUEST",
        "MALFORMED_JSON",
        "DUPLICATE_KEY",
        "REPEATED_PARAMETER",
        "LENGTH_REQUIRED",
        "PAYLOAD_TOO_LARGE",
        "URI_TOO_LONG",
        "UNSUPPORTED_MEDIA_TYPE",
    ),
    Action.REQUEST_UNREADABLE_REFUSED,
)
# Limits count a client; who holds an IPv6 /48 is 65,536 of them. So many marks a minute in each process.
allowance = Allowance(60)


class RefusalMarkMiddleware:
    """Stands inside the limits, so that a flood ends there, and outside whatever refuses what it marks.

    Where the mark cannot be written the answer is 503, as to every refusal that would leave none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        code = getattr(response, "problem_code", "")
        if code in _MARKED:
            try:
                mark_refusal(_MARKED[code], code=code, allowance=allowance)
            except Error as failed:
                return answer(failed, request)
        return response
