"""Cookies exist for pages only: sessions, CSRF, sign-in, messages and CSP nonces are skipped on API paths.

Running the stock classes everywhere cost 116 µs a request and would let a cookie reach the API. Each is a
subclass, so that Django's own system checks still find what they ask for.
"""

from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django_otp.middleware import OTPMiddleware

from security.page_paths import is_page


class PagesOnly:
    """Mixin: hands API requests straight on."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_page(request):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class PageCSPMiddleware(PagesOnly, CSPMiddleware):
    """Nonces and policy for HTML.

    `report-to` stands in it over HTTPS alone: Chromium keeps that word for secure origins, and wherever it reads it, it
    passes over `report-uri`. Over plain HTTP nobody was told of any violation.
    """

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,  # noqa: FBT001, FBT002 - the library's signature
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not request.is_secure():
            parts.replace = {**(parts.replace or {}), "report-to": None}
        return parts


class PageSessionMiddleware(PagesOnly, SessionMiddleware):
    """Staff sessions."""


class PageCsrfMiddleware(PagesOnly, CsrfViewMiddleware):
    """CSRF tokens; the API has no cookie that a forged request could ride on."""

    def process_view(self, request: HttpRequest, *args: Any) -> Any:
        return super().process_view(request, *args) if is_page(request) else None


class PageAuthenticationMiddleware(PagesOnly, AuthenticationMiddleware):
    """`request.user` of staff; the API's person comes from the bearer token."""

    def process_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        return None


class PageOTPMiddleware(PagesOnly, OTPMiddleware):
    """`request.user.is_verified()`."""


class PageMessageMiddleware(PagesOnly, MessageMiddleware):
    """Messages of the admin."""
