"""Refuses names this server does not answer to, before anything builds a URL from them."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from security.errors import MalformedRequest
from security.errors.documents import problem_response
from security.page_paths import ASKED_BY_ADDRESS


class HostMiddleware:
    """Django checks the Host header only when somebody asks for it; here somebody always does.

    What machines ask by address is exempt: a wrong name must not take a healthy host out, or leave it unwatched.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        # The name that passed last, and the list it passed: nearly every request has the same.
        self._last: tuple[str | None, list[str]] | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host = request.META.get("HTTP_HOST")
        is_known = host is not None and (host, settings.ALLOWED_HOSTS) == self._last
        if not is_known and not request.path_info.startswith(ASKED_BY_ADDRESS):
            try:
                request.get_host()
            except DisallowedHost:
                return problem_response(MalformedRequest("The Host header is not one of this service's."), request)
            self._last = host, settings.ALLOWED_HOSTS
        return self.get_response(request)
