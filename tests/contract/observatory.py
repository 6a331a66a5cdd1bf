"""The scoring rules of the Mozilla HTTP Observatory, version 6, as facts: what it takes away and gives for one answer.

Its package fetches lists from the network when it is installed and is a release behind its own site, so its rules stand
here. Left out is what no header shows: certificates, and the list of preloaded names (+5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookies import Morsel
from urllib.parse import urlsplit

START, LEAST_FOR_BONUS = 100, 90
GRADES = ((100, "A+"), (90, "A"), (85, "A-"), (80, "B+"), (70, "B"), (65, "B-"), (60, "C+"), (50, "C"), (45, "C-"),
          (40, "D+"), (30, "D"), (25, "D-"), (0, "F"))  # fmt: skip
STRANGER = "https://observatory.example"  # the origin it asks from, which nobody lists
HALF_A_YEAR_SECONDS = 15_768_000
# The nineteen of docs/headers.md. Each does something; X-XSS-Protection switches a harmful filter of old browsers off.
USEFUL = frozenset(
    {
        "strict-transport-security",
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "permissions-policy",
        "cross-origin-opener-policy",
        "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
        "origin-agent-cluster",
        "x-permitted-cross-domain-policies",
        "x-dns-prefetch-control",
        "x-download-options",
        "x-xss-protection",
        "x-robots-tag",
        "cache-control",
        "vary",
        "reporting-endpoints",
        "x-request-id",
    }
)
_BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
_INLINE = {"'unsafe-inline'", "data:"}
_NONCE_OR_HASH = ("'nonce-", "'sha256-", "'sha384-", "'sha512-")
_PRIVATE = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}


@dataclass(frozen=True)
class Answer:
    """What is judged: one answer over HTTPS to STRANGER. `headers` by lower-case names."""

    headers: Mapping[str, str]
    cookies: Sequence["Morsel[str]"] = ()
    body: str = ""


def modifiers(answer: Answer) -> dict[str, int]:
    """Points of each test of the Observatory that an answer alone decides."""
    headers = answer.headers
    return {
        "content-security-policy": _policy(headers.get("content-security-policy", "")),
        "cookies": _cookies(answer.cookies, has_hsts=_hsts(headers) == 0),
        "cross-origin-resource-sharing": _sharing(headers),
        "referrer-policy": _referrer(headers.get("referrer-policy")),
        "strict-transport-security": _hsts(headers),
        "subresource-integrity": _scripts(answer),
        "x-content-type-options": 0 if headers.get("x-content-type-options", "").lower() == "nosniff" else -5,
        "x-frame-options": _framing(headers),
        "cross-origin-resource-policy": _one_of(headers, "cross-origin-resource-policy", {"same-origin", "same-site"}),
        "cross-origin-opener-policy": _one_of(
            headers, "cross-origin-opener-policy", {"same-origin", "same-origin-allow-popups"}
        ),
        "cross-origin-embedder-policy": _one_of(
            headers, "cross-origin-embedder-policy", {"require-corp", "credentialless"}
        ),
    }


def score(answer: Answer, *, redirection: int = 0) -> int:
    """Points of `answer`. `redirection` is the site's own: see `redirection_of`.

    What was taken away counts first; what was earned counts only where 90 are left (its bonus rule).
    """
    found = [*modifiers(answer).values(), redirection]
    left = START + sum(points for points in found if points < 0)
    if left >= LEAST_FOR_BONUS:
        left += sum(points for points in found if points > 0)
    return max(left, 0)


def grade(points: int) -> str:
    """The letter of a score."""
    return next(letter for least, letter in GRADES if points >= least)


def useful_headers(headers: Mapping[str, str]) -> set[str]:
    """Which of the nineteen are there."""
    return {name.lower() for name in headers} & USEFUL


def redirection_of(*, status: int, location: str, host: str) -> int:
    """Points for what plain HTTP at `host` answers: 0 when it leads to HTTPS of the same host."""
    if not 300 <= status < 400:
        return -20
    target = urlsplit(location)
    if target.scheme != "https":
        return -20
    return 0 if target.hostname == host else -5


def directives(policy: str) -> dict[str, list[str]]:
    """A policy's directives; the first of a name counts (CSP Level 3 §2.2.1)."""
    found: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            found.setdefault(words[0].lower(), [word.lower() for word in words[1:]])
    return found


def _policy(text: str) -> int:
    if not text.strip():
        return -25
    found = directives(text)
    otherwise = found.get("default-src", ["*"])
    scripts, styles = (_without_moot_inline(found.get(name, otherwise)) for name in ("script-src", "style-src"))
    objects = set(found.get("object-src", otherwise))
    active = scripts | {
        word
        for name, words in found.items()
        if name not in ("img-src", "media-src", "script-src", "report-uri", "report-to")
        for word in words
    }
    passive = {word for name in ("img-src", "media-src") for word in found.get(name, otherwise)}
    if scripts & (_BROAD | _INLINE) or objects & _BROAD:
        return -20
    if any(word.startswith(("http:", "ftp:")) for word in active):
        return -20
    if "'unsafe-eval'" in scripts | styles:
        return -10
    if any(word.startswith(("http:", "ftp:")) for word in passive):
        return -10
    if styles & (_BROAD | _INLINE):
        return 0
    return 10 if found.get("default-src") == ["'none'"] else 5


def _without_moot_inline(words: Sequence[str]) -> set[str]:
    # A browser that knows nonces ignores 'unsafe-inline' beside one.
    has_nonce = any(word.startswith(_NONCE_OR_HASH) for word in words)
    return {word for word in words if not (has_nonce and word == "'unsafe-inline'")}


def _cookies(given: Sequence["Morsel[str]"], *, has_hsts: bool) -> int:
    cookies = [cookie for cookie in given if str(cookie["max-age"]) != "0"]  # an order to forget stays in no jar
    if not cookies:
        return 0
    worst = 0
    for cookie in cookies:
        name = cookie.key.lower()
        is_session = "sess" in name or "login" in name
        if not cookie["secure"]:
            worst = min(worst, (-10 if is_session else -5) if has_hsts else (-40 if is_session else -20))
        if is_session and not cookie["httponly"]:
            worst = min(worst, -30)
        site = cookie["samesite"].lower()
        if site not in ("", "lax", "strict", "none") or ("csrf" in name and not site):
            worst = min(worst, -20)
        if site == "none" and not cookie["secure"]:
            worst = min(worst, -20)
    return worst or (5 if all(cookie["samesite"] for cookie in cookies) else 0)


def _sharing(headers: Mapping[str, str]) -> int:
    # Whoever lets a stranger in with credentials lets everybody in.
    is_open = headers.get("access-control-allow-origin") == STRANGER
    return -50 if is_open and headers.get("access-control-allow-credentials", "").lower() == "true" else 0


def _referrer(value: str | None) -> int:
    if value is None:
        return 0
    return 5 if value.split(",")[-1].strip().lower() in _PRIVATE else -5


def _hsts(headers: Mapping[str, str]) -> int:
    for part in headers.get("strict-transport-security", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "max-age" and value.isdigit():
            return 0 if int(value) >= HALF_A_YEAR_SECONDS else -10
    return -20


def _framing(headers: Mapping[str, str]) -> int:
    ancestors = directives(headers.get("content-security-policy", "")).get("frame-ancestors")
    if ancestors is not None and not set(ancestors) & _BROAD:
        return 5
    return 0 if headers.get("x-frame-options", "").lower() in ("deny", "sameorigin") else -20


def _one_of(headers: Mapping[str, str], name: str, good: set[str]) -> int:
    return 10 if headers.get(name, "").lower() in good else 0


class _Scripts(HTMLParser):
    """Scripts of other hosts in a page, as (is secure, has integrity)."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[tuple[bool, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        source = given.get("src") or ""
        if tag == "script" and urlsplit(source).netloc:
            self.foreign.append((source.startswith("https://"), bool(given.get("integrity"))))


def _scripts(answer: Answer) -> int:
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return 0
    page = _Scripts()
    page.feed(answer.body)
    if not page.foreign:
        return 0
    is_secure = all(secure for secure, _ in page.foreign)
    is_whole = all(whole for _, whole in page.foreign)
    if is_whole:
        return 5 if is_secure else -20
    return -5 if is_secure else -50
