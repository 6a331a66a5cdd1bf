"""Lets listed web origins read our answers: django-cors-headers, asked only where a browser named an origin."""

from typing import cast

from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers


class OriginMiddleware(CorsMiddleware):
    """Without Origin there is nothing to allow, and no preflight (Fetch §3.2.2); most clients are such.

    `Vary: origin` stands on every answer all the same: a cache must not give one client's copy to another.
    """

    async_capable = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_ORIGIN" in request.META:
            return cast(HttpResponseBase, super().__call__(request))
        response = cast(HttpResponseBase, self.get_response(request))  # upstream could be asynchronous, we are not
        patch_vary_headers(response, ("origin",))
        return response
