"""Lets listed web origins read our answers: django-cors-headers, asked only where a browser named an origin."""

from typing import cast

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class OriginMiddleware(CorsMiddleware):
    """Without Origin there is nothing to allow, and no preflight (Fetch §3.2.2); most clients are such.

    `Vary: Origin` stands on every answer all the same, by the headers' layer: a cache must not give one client's copy
    to another.
    """

    async_capable = False

    def is_enabled(self, request: HttpRequest) -> bool:
        return True  # on every path

    def origin_found_in_white_lists(self, origin: str, url: object) -> bool:
        """Compared as browsers write it (RFC 6454 §6.2), without taking each listed one apart again."""
        return origin in settings.CORS_ALLOWED_ORIGINS

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_ORIGIN" in request.META:
            return cast(HttpResponseBase, super().__call__(request))
        return cast(HttpResponseBase, self.get_response(request))  # upstream could be asynchronous, we are not
