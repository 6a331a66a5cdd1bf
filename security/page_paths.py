"""Which paths are pages: only they may read and set cookies."""

from django.http import HttpRequest

PAGE_PREFIXES = ("/admin", "/api-docs", "/health/detailed", "/metrics")


def is_page(request: HttpRequest) -> bool:
    """Whether this path may read and set cookies."""
    return request.path_info == "/" or request.path_info.startswith(PAGE_PREFIXES)
