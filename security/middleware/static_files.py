"""Static files, by WhiteNoise: each whole, whatever part of it is asked for."""

from typing import Any

from django.http import HttpRequest
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Passes over Range, as a server may (RFC 9110 section 14.2): no file is large, and WhiteNoise answers the end that
    lies before the beginning with a 416 without a word, and a part of no bytes (`bytes=-0`) with the whole.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> Any:
        request.META.pop("HTTP_RANGE", None)
        return WhiteNoiseMiddleware.serve(static_file, request)
