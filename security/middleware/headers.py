"""Security headers of every answer. HTML pages bring their own Content-Security-Policy with a nonce."""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from security.stored_headers import Stored, put, said, stored

# A cache must not give one origin's, one person's or one form's copy to another.
VARY = ("Origin", "Authorization", "Accept")
# Every answer's, whoever writes it: the server process sends them with what it refuses itself.
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    (
        "Permissions-Policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), "
        "payment=(), usb=(), fullscreen=(), publickey-credentials-get=(), browsing-topics=()",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Origin-Agent-Cluster", "?1"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
    ("X-DNS-Prefetch-Control", "off"),
    ("X-Download-Options", "noopen"),
    ("X-XSS-Protection", "0"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("Vary", ", ".join(VARY)),
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
# No body follows; a length would be wrong (RFC 9110 §8.6) or promise one to a careless parser.
_BODILESS = (204, 304)

_DEFAULTS = stored(
    (("Cache-Control", "no-store"), ("Content-Security-Policy", API_POLICY), ("Referrer-Policy", "no-referrer"))
)
# Of a page, which brings its policy; Django's CSRF check needs the Referer over HTTPS.
_DEFAULTS_OF_PAGES = _DEFAULTS | stored((("Referrer-Policy", "same-origin"),))


# Browsers heed it from secure origins alone (Reporting API §3.3); `report-to` of a policy names what it declares.
_OVER_HTTPS = (("Reporting-Endpoints", 'csp="/csp-report"'),)


@lru_cache(maxsize=4)
def _fixed(is_secure: bool, hsts_seconds: int) -> Stored:  # noqa: FBT001 - a key of the cache
    """The fixed set, over HTTPS with Reporting-Endpoints, and HSTS where `hsts_seconds` is not nought."""
    if not is_secure:
        return stored(HEADERS)
    hsts = (("Strict-Transport-Security", f"max-age={hsts_seconds}; includeSubDomains"),) if hsts_seconds else ()
    return stored((*HEADERS, *_OVER_HTTPS, *hsts))


class SecurityHeadersMiddleware:
    """Puts the fixed set, whatever was said; Cache-Control, CSP and Referrer-Policy only where no one said better.

    Vary gains ours and keeps what others said. With HSTS and Reporting-Endpoints, over HTTPS alone, and the request's
    id these are nineteen.

    States the length of every body that is known (ASVS V4.2.2), or the server would send it in chunks.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        _state_length(request, response)
        before = said(response)
        _, vary = before.get("vary", ("", ""))
        defaults = _DEFAULTS_OF_PAGES if "content-security-policy" in before else _DEFAULTS
        put(response, _fixed(request.is_secure(), settings.SECURE_HSTS_SECONDS), defaults=defaults)
        if vary and vary.lower() != "origin":
            patch_vary_headers(response, [word.strip() for word in vary.split(",")])
        return response


def _state_length(request: HttpRequest, response: HttpResponse) -> None:
    if response.status_code in _BODILESS:
        del response.headers["Content-Length"]
    elif not response.streaming:
        put(response, {"content-length": ("Content-Length", str(len(response.content)))})
        if request.method == "HEAD":
            response.content = b""  # the length stays that of a GET (RFC 9110 §9.3.2)
