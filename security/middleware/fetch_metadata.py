"""Refuses what another site's page made a browser send to us. For forms the CSRF token (`pages.py`) stays the proof."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from security.forgery import refuse_forgery
from security.page_paths import is_page

_SAFE = ("GET", "HEAD", "OPTIONS")
# `none` is the person's own doing (address bar, bookmark). `same-site` is not among them: a neighbour under the same
# registered name gets our Lax cookies with its forms, and no page of ours posts from there.
_OUR_OWN = ("same-origin", "none")


class FetchMetadataMiddleware:
    """403 CSRF_FAILED before any session is read, where Sec-Fetch-Site says that the sender is no page of ours.

    No script can set or forge the header (Fetch Metadata §2.3). Browsers too old to send it are left to the token and
    SameSite. The API knows no cookie that a forged request could ride on, and listed origins call it across sites; all
    other sites are refused before the limits count, or any page could use up its visitors' limits.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        site = request.META.get("HTTP_SEC_FETCH_SITE")
        if site is None or site in _OUR_OWN or not self._is_forged(request, site):
            return self.get_response(request)
        return refuse_forgery(request, told_by="fetch_metadata")

    def _is_forged(self, request: HttpRequest, site: str) -> bool:
        if request.path_info.startswith("/api/"):
            is_listed = request.META.get("HTTP_ORIGIN") in settings.CORS_ALLOWED_ORIGINS
            return site == "cross-site" and request.method != "OPTIONS" and not is_listed
        return request.method not in _SAFE and is_page(request)
