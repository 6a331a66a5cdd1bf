"""Whether who asks would rather read a page: the one rule for each door that has HTML beside another form."""

from django.http import HttpRequest

_MAX_ACCEPT_CHARACTERS = 1024


def prefers_a_page(request: HttpRequest, *otherwise: str) -> bool:
    """Whether Accept puts HTML before the media types `otherwise`, of which the first is for whoever does not mind."""
    # Weighing 8 kB of types would cost more than everything else; no browser sends so many.
    is_short = len(request.META.get("HTTP_ACCEPT", "")) <= _MAX_ACCEPT_CHARACTERS
    return is_short and request.get_preferred_type((*otherwise, "text/html")) == "text/html"
