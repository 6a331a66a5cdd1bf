"""Keeps plain HTTP out of production. What counts as HTTPS is the server's to say: it believes our proxies alone."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect

from security.errors import HttpsRequired
from security.errors.documents import problem_response
from security.page_paths import ASKED_BY_ADDRESS, is_page


class HttpsMiddleware:
    """Refuses plain HTTP (403 HTTPS_REQUIRED) where `SECURE_SSL_REDIRECT` is on; only a reader of pages is sent on.

    A redirected API call would have sent its token in clear, each time, without its author ever noticing (ASVS
    4.1.2). A form that was posted has leaked already, and a redirect would lose it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.SECURE_SSL_REDIRECT or request.is_secure() or request.path_info.startswith(ASKED_BY_ADDRESS):
            return self.get_response(request)
        if is_page(request) and request.method in ("GET", "HEAD"):
            # The name was checked before us: a forged one leads nowhere.
            return HttpResponsePermanentRedirect(f"https://{request.get_host()}{request.get_full_path()}")
        return problem_response(HttpsRequired(), request)
