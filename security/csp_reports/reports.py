"""Reads browsers' reports into the few closed words that we keep of them. It knows neither requests nor logs.

Whoever can reach us can write a report, so nothing in one is believed: each word is one of a list, a host name, or
`other`. Of addresses no path, query or fragment is kept, because they hold names, ids and tokens.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from security.errors import MalformedJson

LEGACY, REPORTS = "application/csp-report", "application/reports+json"
MOST_REPORTS = 20  # Chromium sends those of a minute together; more than this is no browser's honest day
OTHER = "other"

# Members of a report: directive, the older form of it (with its sources), what was blocked, on which page.
_MEMBERS = {
    LEGACY: ("effective-directive", "violated-directive", "blocked-uri", "document-uri"),
    REPORTS: ("effectiveDirective", "violatedDirective", "blockedURL", "documentURL"),
}
# CSP Level 3 §6, and those that left it but are still reported.
DIRECTIVES = frozenset(
    (
        *("base-uri", "block-all-mixed-content", "child-src", "connect-src", "default-src", "fenced-frame-src"),
        *("font-src", "form-action", "frame-ancestors", "frame-src", "img-src", "manifest-src", "media-src"),
        *("navigate-to", "object-src", "plugin-types", "prefetch-src", "require-trusted-types-for", "sandbox"),
        *("script-src", "script-src-attr", "script-src-elem", "style-src", "style-src-attr", "style-src-elem"),
        *("trusted-types", "upgrade-insecure-requests", "worker-src"),
    )
)
# What stands in the place of an address where there is none (CSP Level 3 §5.2), or where it is all scheme.
_WORDS = frozenset(
    (
        *("inline", "eval", "wasm-eval", "self", "data", "blob", "filesystem", "about"),
        *("trusted-types-policy", "trusted-types-sink"),
    )
)
_ORIGIN_SCHEMES = frozenset({"http", "https", "ws", "wss"})
_EXTENSIONS = frozenset({"chrome-extension", "moz-extension", "safari-web-extension"})
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,98}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")


@dataclass(frozen=True, slots=True)
class Violation:
    """`directive` one of DIRECTIVES or OTHER; `blocked` an origin, a word of the standard or OTHER; `page` as `place`
    named it.
    """

    directive: str
    blocked: str
    page: str


def read_violations(body: bytes, *, media_type: str, place: Callable[[str], str]) -> list[Violation]:
    """The violations in `body`, at most MOST_REPORTS of them. Reports of other kinds are passed over.

    `media_type` is LEGACY (CSP Level 2, one report) or REPORTS (Reporting API, a list). `place` names a page by its
    address. Raises MalformedJson unless the body is JSON of that form.
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedJson("The body is not JSON.") from error
    members = _MEMBERS[media_type]
    if media_type == LEGACY:
        report = document.get("csp-report") if isinstance(document, dict) else None
        if not isinstance(report, dict):
            raise MalformedJson("The body must be an object with csp-report.")
        return [_violation(report, members, place)]
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise MalformedJson("The body must be a list of reports.")
    bodies = [entry.get("body") for entry in document[:MOST_REPORTS] if entry.get("type") == "csp-violation"]
    return [_violation(report, members, place) for report in bodies if isinstance(report, dict)]


def _violation(report: Mapping[str, Any], members: tuple[str, str, str, str], place: Callable[[str], str]) -> Violation:
    directive, older, blocked, page = (_text(report, name) for name in members)
    named = (directive or older).split(" ", 1)[0].lower()
    return Violation(
        directive=named if named in DIRECTIVES else OTHER,
        blocked=origin_of(blocked),
        page=place(page),
    )


def _text(report: Mapping[str, Any], name: str) -> str:
    value = report.get(name)
    return value if isinstance(value, str) else ""


def origin_of(address: str) -> str:
    """`https://host[:port]` of `address`, an extension's scheme, a word of the standard, or OTHER."""
    if address.lower() in _WORDS:
        return address.lower()
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return OTHER
    if parts.scheme in _WORDS or parts.scheme in _EXTENSIONS:
        return parts.scheme
    shown = f"[{host}]" if ":" in host else host
    if parts.scheme not in _ORIGIN_SCHEMES or not _HOST.fullmatch(shown):
        return OTHER
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
