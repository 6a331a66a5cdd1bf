"""What browsers and strangers on the network may do: hosts, addresses, origins, cookies, headers, open pages."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from django.conf import settings

from security.posture.registry import Fault, Severity, finding

LEAST_HSTS_SECONDS = 31_536_000  # a year: what browsers' preload lists ask for
# A network wider than these is no machine room of ours.
_LEAST_PREFIX = {4: 16, 6: 48}
_UNSAFE_SOURCES = {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"}


@finding(
    "KF.S001",
    severity=Severity.CRITICAL,
    title="Debug pages are on",
    why="An error page shows settings, variables and source code to whoever provokes it.",
    remedy="Set DEBUG = False; nothing of ours turns it on.",
)
def debug_is_on() -> Iterable[Fault]:
    if settings.DEBUG:
        yield Fault("DEBUG", "DEBUG is True")


@finding(
    "KF.S002",
    severity=Severity.HIGH,
    title="Any host name is answered",
    why="A forged Host header leads links in mails, and cached pages, to a stranger's site.",
    remedy="Name each host in ALLOWED_HOSTS.",
    production_only=True,
)
def hosts_are_open() -> Iterable[Fault]:
    for host in settings.ALLOWED_HOSTS:
        if "*" in host or host.startswith("."):
            yield Fault("ALLOWED_HOSTS", f"ALLOWED_HOSTS holds {host!r}, which is every host below it")


@finding(
    "KF.S003",
    severity=Severity.HIGH,
    title="An address of ours is not https",
    why="Tokens and passwords are sent to it in clear.",
    remedy="Begin the address with https://.",
    production_only=True,
)
def addresses_without_tls() -> Iterable[Fault]:
    for name in ("PUBLIC_URL", "WEB_URL"):
        if urlsplit(getattr(settings, name)).scheme != "https":
            yield Fault(name, f"{name} does not begin with https://")


@finding(
    "KF.S004",
    severity=Severity.CRITICAL,
    title="Every web page may call the API",
    why="With credentials allowed, any page a person visits reads what they may read.",
    remedy="Name the origins in CORS_ALLOWED_ORIGINS; use neither a wildcard nor a pattern.",
    production_only=True,
)
def origins_are_open() -> Iterable[Fault]:
    if getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False):
        yield Fault("CORS_ALLOW_ALL_ORIGINS", "CORS_ALLOW_ALL_ORIGINS is True")
    if getattr(settings, "CORS_ALLOWED_ORIGIN_REGEXES", []):
        yield Fault("CORS_ALLOWED_ORIGIN_REGEXES", "origins are matched by patterns")
    if any("*" in origin or origin == "null" for origin in settings.CORS_ALLOWED_ORIGINS):
        yield Fault("CORS_ALLOWED_ORIGINS", "CORS_ALLOWED_ORIGINS holds a wildcard or null")


@finding(
    "KF.S005",
    severity=Severity.HIGH,
    title="A page served without TLS may call the API",
    why="Whoever sits on the way changes that page, and then acts as its visitor.",
    remedy="List https:// origins only.",
    production_only=True,
)
def origins_without_tls() -> Iterable[Fault]:
    for origin in settings.CORS_ALLOWED_ORIGINS:
        if "*" not in origin and urlsplit(origin).scheme == "http":
            yield Fault(origin, f"CORS_ALLOWED_ORIGINS holds {origin}")


@finding(
    "KF.S006",
    severity=Severity.HIGH,
    title="A cookie of the admin is not locked in",
    why="It can be read by a script, sent over plain HTTP, planted from a sister host, or sent by a foreign page.",
    remedy="Name it __Host-…, Secure, HttpOnly, SameSite Lax or Strict.",
    production_only=True,
)
def cookies_are_loose() -> Iterable[Fault]:
    for name in ("SESSION", "CSRF"):
        missing = []
        if not getattr(settings, f"{name}_COOKIE_NAME").startswith("__Host-"):
            missing.append("the prefix __Host-")
        if not getattr(settings, f"{name}_COOKIE_SECURE"):
            missing.append("Secure")
        if not getattr(settings, f"{name}_COOKIE_HTTPONLY"):
            missing.append("HttpOnly")
        if getattr(settings, f"{name}_COOKIE_SAMESITE") not in ("Lax", "Strict"):
            missing.append("SameSite")
        if missing:
            yield Fault(f"{name}_COOKIE", f"the {name} cookie lacks {', '.join(missing)}")


@finding(
    "KF.S007",
    severity=Severity.MEDIUM,
    title="Browsers forget too soon that we speak https only",
    why="After that a first request in clear can be taken over.",
    remedy="Set SECURE_HSTS_SECONDS to a year (31536000) or more, with SECURE_HSTS_INCLUDE_SUBDOMAINS.",
    production_only=True,
)
def hsts_is_short() -> Iterable[Fault]:
    if settings.SECURE_HSTS_SECONDS < LEAST_HSTS_SECONDS:
        yield Fault("SECURE_HSTS_SECONDS", f"SECURE_HSTS_SECONDS is {settings.SECURE_HSTS_SECONDS}")


@finding(
    "KF.S008",
    severity=Severity.HIGH,
    title="The pages' content policy admits foreign or inline code",
    why="Markup that slips into a page of the admin would run.",
    remedy="Leave CONTENT_SECURITY_POLICY at 'self' and nonces.",
)
def content_policy_is_open() -> Iterable[Fault]:
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    for name in ("default-src", "script-src", "style-src", "object-src"):
        found = _UNSAFE_SOURCES.intersection(str(source) for source in directives.get(name, ["*"]))
        if found:
            yield Fault(name, f"{name} admits {', '.join(sorted(found))}")


@finding(
    "KF.S009",
    severity=Severity.LOW,
    title="The API's documentation is open to everyone",
    why="It spares a stranger the work of finding what there is.",
    remedy="Unset API_DOCS_PUBLIC: staff see the documentation all the same.",
    production_only=True,
)
def documentation_is_open() -> Iterable[Fault]:
    if settings.API_DOCS_PUBLIC:
        yield Fault("API_DOCS_PUBLIC", "API_DOCS_PUBLIC is on")


@finding(
    "KF.S010",
    severity=Severity.MEDIUM,
    title="Metrics are open to more than the machines that scrape",
    why="OPERATOR_NETWORKS reads health details and metrics without a token; and what a proxy on this host forwards "
    "comes from this host, unless TRUSTED_PROXIES has the proxy tell whom it speaks for.",
    remedy="Name the addresses of the machines that scrape, or a network no wider than /16 (IPv6: /48); and a proxy on "
    "this host in TRUSTED_PROXIES.",
    production_only=True,
)
def operator_networks_are_wide() -> Iterable[Fault]:
    for text in settings.OPERATOR_NETWORKS:
        network = ip_network(text, strict=False)
        if network.prefixlen < _LEAST_PREFIX[network.version]:
            yield Fault(text, f"OPERATOR_NETWORKS holds {text}")
        elif network.is_loopback and not _is_told_of(network):
            yield Fault(text, f"OPERATOR_NETWORKS holds {text}, and TRUSTED_PROXIES nothing there")


def _is_told_of(network: IPv4Network | IPv6Network) -> bool:
    proxies = (ip_network(text, strict=False) for text in settings.TRUSTED_PROXIES)
    return any(proxy.version == network.version and proxy.overlaps(network) for proxy in proxies)
