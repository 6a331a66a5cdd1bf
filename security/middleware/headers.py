"""Security headers of every answer. HTML pages bring their own Content-Security-Policy with a nonce."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

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
    ("Reporting-Endpoints", 'csp="/csp-report"'),
    ("Vary", ", ".join(VARY)),
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"


# No body follows; a length would be wrong (RFC 9110 §8.6) or promise one to a careless parser.
_BODILESS = (204, 304)


class SecurityHeadersMiddleware:
    """Sets the fixed set by assignment; Cache-Control, CSP and Referrer-Policy only where no one said better.

    Vary gains ours and keeps what others said. With HSTS, over HTTPS alone (RFC 6797 §7.2), and the request's id these
    are nineteen.

    States the length of every body that is known (ASVS V4.2.2), or the server would send it in chunks.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        _state_length(request, response)
        headers = response.headers
        vary = headers.get("Vary", "")
        for name, value in HEADERS:
            headers[name] = value
        if vary and vary.lower() != "origin":
            patch_vary_headers(response, [word.strip() for word in vary.split(",")])
        headers.setdefault("Cache-Control", "no-store")
        if "Content-Security-Policy" not in headers:
            headers["Content-Security-Policy"] = API_POLICY
            headers.setdefault("Referrer-Policy", "no-referrer")
        else:
            # Django's CSRF check of a page needs the Referer over HTTPS.
            headers.setdefault("Referrer-Policy", "same-origin")
        if settings.SECURE_HSTS_SECONDS and request.is_secure():
            headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains"
        return response


def _state_length(request: HttpRequest, response: HttpResponse) -> None:
    if response.status_code in _BODILESS:
        del response.headers["Content-Length"]
    elif not response.streaming:
        response.headers["Content-Length"] = str(len(response.content))
        if request.method == "HEAD":
            response.content = b""  # the length stays that of a GET (RFC 9110 §9.3.2)
