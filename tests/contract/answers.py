"""Every kind of answer the product can give: how it is provoked over HTTPS, and the table of what each is worth.

The table becomes `docs/headers.md`; `test_observatory.py` holds it against the running product.
"""

from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from koshflow.settings import base
from tests.contract.observatory import STRANGER, Answer, grade, score, useful_headers

# The settings of production that the test environment loosens, by what `base` says of them.
PRODUCTION = {
    name: getattr(base, name)
    for name in (
        "SECURE_HSTS_SECONDS",
        "SECURE_SSL_REDIRECT",
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_NAME",
        "CSRF_COOKIE_SECURE",
    )
}
_KINDS = (
    ("/api/", "API"),
    ("/admin", "admin"),
    ("/static/", "static files"),
    ("/.well-known/", "well-known"),
    ("/security-policy", "well-known"),
    ("/errors", "well-known"),
    ("/favicon.ico", "well-known"),
    ("/csp-report", "CSP reports"),
    ("/api-docs", "documentation"),
    ("/health/detailed", "operators"),
    ("/metrics", "operators"),
    ("/health", "probes"),
)
_ID = "0190a5c2-7b1e-7cc1-8a55-0d9f4a6c2f11"
_SAMPLES = {
    "<uuid:pk>": _ID,
    "<uuid:object_id>": _ID,
    "<slug:act>": "deactivate",
    "<path:content_type_id>": "1",
    "<path:object_id>": _ID,
    "^(?P<app_label>accounts)/$": "accounts/",
    "(?P<url>.*)$": "nowhere/",
}

# Kind of route → the statuses it can give → (least points, least number of the nineteen headers). Add a row where a
# test finds a new kind or status.
_BEST = (150, 19)
TABLE: dict[str, dict[int, tuple[int, int]]] = {
    "admin": dict.fromkeys((200, 302, 400, 403, 404, 405, 411, 413, 414, 429, 500, 503), _BEST),
    "API": dict.fromkeys((200, 201, 202, 400, 401, 403, 404, 405, 406, 409, 411, 413, 414, 415, 429, 500, 503), _BEST),
    "CSP reports": dict.fromkeys((200, 204, 400, 405, 406, 411, 413, 414, 415, 429, 500, 503), _BEST),
    "documentation": dict.fromkeys((200, 304, 400, 405, 406, 414, 429, 500, 503), _BEST),
    "nowhere": dict.fromkeys((400, 404, 405, 411, 413, 414, 429, 500, 503), _BEST),
    "operators": dict.fromkeys((200, 401, 405, 406, 414, 500, 503), _BEST),
    "probes": dict.fromkeys((200, 405, 411, 413, 414, 500, 503), _BEST),
    "start page": dict.fromkeys((200, 400, 405, 414, 429, 500, 503), _BEST),
    "static files": dict.fromkeys((200, 304, 400, 404, 405, 411, 413, 414, 429, 500, 503), _BEST),
    "well-known": dict.fromkeys((200, 302, 304, 400, 405, 406, 411, 413, 414, 429, 500, 503), _BEST),
}


def kind_of(path: str) -> str:
    """Which rows of the table a path belongs to."""
    return "start page" if path == "/" else next((kind for start, kind in _KINDS if path.startswith(start)), "nowhere")


def every_path() -> list[str]:
    """One path of each route of the URLconf."""
    return sorted({_sample(route) for route in _routes(get_resolver().url_patterns)})


def _routes(patterns: list[Any], prefix: str = "/") -> list[str]:
    found = []
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += _routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            found.append(route)
    return found


def _sample(route: str) -> str:
    for pattern, sample in _SAMPLES.items():
        route = route.replace(pattern, sample)
    return route


class ObservedClient(Client):
    """A browser at another site, over HTTPS, that keeps every answer: `seen` is (path, answer) in order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(raise_request_exception=False, **options)
        self.seen: list[tuple[str, Any]] = []
        self.is_plain = False

    def generic(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        options["secure"] = not self.is_plain
        options["headers"] = {"Origin": STRANGER, **(options.get("headers") or {})}
        response = super().generic(method, path, *arguments, **options)
        if response.streaming:
            response.getvalue()  # a file: the test client closes it at its end
        self.seen.append((path.partition("?")[0], response))
        return response


def measured(response: Any, *, redirection: int) -> tuple[int, int]:
    """(points, number of the nineteen headers) of an answer over HTTPS."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = "" if response.streaming else response.content.decode(errors="replace")
    answer = Answer(headers, tuple(response.cookies.values()), body)
    return score(answer, redirection=redirection), len(useful_headers(headers))


def page() -> str:
    """`docs/headers.md`."""
    lines = [
        "# Headers",
        "",
        "Every answer carries the same protection, whichever layer gives it: success, refusal, redirect, static file,",
        "a failure of ours. `security/middleware/headers.py` alone sets it. Over HTTPS these are nineteen, over plain",
        "HTTP seventeen: `Strict-Transport-Security` may not be sent there (RFC 6797 §7.2), and browsers heed",
        "`Reporting-Endpoints` from secure origins alone. There a policy says `report-uri` only: a browser that reads",
        "`report-to` passes over it. (Chromium sends nothing by `report-to` either where it was told to pass over the",
        "certificate.)",
        "",
        "`Strict-Transport-Security`, `Content-Security-Policy`, `X-Content-Type-Options`, `X-Frame-Options`,",
        "`Referrer-Policy`, `Permissions-Policy`, `Cross-Origin-Opener-Policy`, `Cross-Origin-Embedder-Policy`,",
        "`Cross-Origin-Resource-Policy`, `Origin-Agent-Cluster`, `X-Permitted-Cross-Domain-Policies`,",
        "`X-DNS-Prefetch-Control`, `X-Download-Options`, `X-XSS-Protection` (`0`: the filter itself leaked),",
        "`X-Robots-Tag`, `Cache-Control`, `Vary`, `Reporting-Endpoints`, `X-Request-ID`.",
        "",
        "By case there are more: `Clear-Site-Data` on signing out, `WWW-Authenticate` on 401, `Allow` on 405,",
        "`Retry-After` on 429 and 503. `Cache-Control` is `no-store`, but for the keys (300 s), `security.txt`, the",
        "policy and the errors (a day), and static files (named by their content: for ever).",
        "",
        "The points are those of the Mozilla HTTP Observatory, version 6, whose rules stand in",
        "`tests/contract/observatory.py`; 100 and more are A+. The lowest of all answers of a kind and status counts.",
        "A test provokes each of them on every route and holds this table. The rule on redirection judges the front",
        "door: `/` leads from HTTP to HTTPS of the same host. The API refuses plain HTTP instead: a redirected call",
        "has sent its token in clear already. What the server process itself refuses, before it knows the scheme (a",
        "request line it cannot read), has the seventeen of plain HTTP.",
        "",
        "| routes | status | points | grade | headers |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, statuses in TABLE.items():
        for status, (points, headers) in sorted(statuses.items()):
            lines.append(f"| {kind} | {status} | {points} | {grade(points)} | {headers} |")
    return "\n".join(lines) + "\n"
