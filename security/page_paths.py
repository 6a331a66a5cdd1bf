"""Which paths are pages, and by which methods: only they may read and set cookies. And which are machines' own."""

from django.http import HttpRequest

ADMIN_PREFIX = "/admin"
PAGE_PREFIXES = (ADMIN_PREFIX, "/api-docs", "/health/detailed", "/metrics")
# Balancers and scrapers ask each host by its address inside the network, where no name and no certificate is.
ASKED_BY_ADDRESS = ("/health", "/metrics")
_READ = ("GET", "HEAD")
_READ_AND_SEND = (*_READ, "POST")


def is_page(request: HttpRequest) -> bool:
    """Whether this path may read and set cookies."""
    return request.path_info == "/" or request.path_info.startswith(PAGE_PREFIXES)


def is_of_api(request: HttpRequest) -> bool:
    """Whether only programs ask here: whatever their Accept says, they are answered in JSON."""
    return f"{request.path_info}/".startswith("/api/")


def page_methods(request: HttpRequest) -> tuple[str, ...]:
    """What a page may be asked: forms are in the admin only, and no form knows another method than POST."""
    return _READ_AND_SEND if request.path_info.startswith(ADMIN_PREFIX) else _READ
