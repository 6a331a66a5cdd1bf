"""Django system checks that guard the rest: combinations of settings that would quietly break a promise."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name

from security.retention import RetentionRefused, kept_days
from security.siem import CertificatesUnreadable, trusted
from security.syslog_url import DestinationMisnamed, parse_destination
from security.tlog import WitnessMisnamed, configured_witnesses

LEAST_THREADS = 8
# Prefix lengths by IP version: what one site may give to its proxies. Anything wider has clients in it too.
WIDEST_PROXIES = {4: 16, 6: 48}


@register(Tags.security)
def check_threads(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    """While one thread hashes and two wait, most must be left for requests that hash nothing."""
    if settings.WEB_THREADS >= LEAST_THREADS:
        return []
    return [
        Error(
            f"WEB_THREADS is {settings.WEB_THREADS}.",
            hint=f"Use at least {LEAST_THREADS}: one thread hashes, two wait, and /health must still answer.",
            id="koshflow.E001",
        )
    ]


@register(Tags.security)
def check_workers(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Several processes share counters, revocations and sessions only through PostgreSQL and Redis."""
    if settings.WEB_WORKERS == 1 or (settings.IS_POSTGRESQL and settings.IS_CACHE_SHARED):
        return []
    return [
        Error(
            f"WEB_WORKERS is {settings.WEB_WORKERS} without a shared store.",
            hint="Set DATABASE_URL and REDIS_URL, or WEB_WORKERS=1.",
            id="koshflow.E002",
        )
    ]


@register(Tags.security)
def check_transactions(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """A transaction around the whole request would roll back lock-outs, revocations and audit events."""
    if not any(database["ATOMIC_REQUESTS"] for database in settings.DATABASES.values()):
        return []
    return [
        Error(
            "ATOMIC_REQUESTS is on.",
            hint="Turn it off: a refusal must keep the mark it leaves.",
            id="koshflow.E003",
        )
    ]


@register(Tags.security)
def check_hashers(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """The plain bcrypt hasher fails on passwords of more than 72 bytes, and none of Django's own waits in our queue."""
    plain = [name for name in settings.PASSWORD_HASHERS if not name.startswith("security.hashing.")]
    if not plain:
        return []
    return [
        Error(
            f"PASSWORD_HASHERS names {', '.join(plain)}.",
            hint="Use the hashers of security.hashing: they hold a slot of the hashing queue.",
            id="koshflow.E004",
        )
    ]


@register(Tags.security)
def check_proxies(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Whoever's own address is in TRUSTED_PROXIES is believed about addresses: a client in there chooses its own."""
    networks = [ip_network(text, strict=False) for text in settings.TRUSTED_PROXIES]
    wide = [str(network) for network in networks if network.prefixlen < WIDEST_PROXIES[network.version]]
    if not wide:
        return []
    return [
        Warning(
            f"TRUSTED_PROXIES holds {', '.join(wide)}.",
            hint="Name the proxies' own addresses only: a client inside these networks can claim any address.",
            id="koshflow.W001",
        )
    ]


@register(Tags.security)
def check_witnesses(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """A witness whose key is not one never cosigns, and nobody would see a history that was written anew."""
    try:
        configured_witnesses()
    except WitnessMisnamed as misnamed:
        hint = "Write the witness's URL, a space, and the key that audit_witness --init printed."
        return [Error(f"AUDIT_WITNESSES: {misnamed}.", hint=hint, id="koshflow.E005")]
    return []


@register(Tags.security)
def check_retention(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """No class of events may be kept for less than its floor, which laws set."""
    try:
        kept_days()
    except RetentionRefused as refused:
        hint = "Write classes with more days than their floors, or leave it empty."
        return [Error(f"{refused}.", hint=hint, id="koshflow.E006")]
    return []


@register(Tags.security)
def check_syslog(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """A SIEM that nothing can be sent to sees no attack, and its silence looks like peace."""
    if not settings.AUDIT_SYSLOG:
        return []
    try:
        destination = parse_destination(settings.AUDIT_SYSLOG)
        if destination.scheme == "tls":
            trusted(settings.AUDIT_SYSLOG_CA)
    except DestinationMisnamed as misnamed:
        return [Error(f"AUDIT_SYSLOG: {misnamed}.", hint="For example tls://siem.example.in:6514.", id="koshflow.E007")]
    except CertificatesUnreadable as unreadable:
        hint = "Name a PEM file that this account can read, or leave it empty for the system's authorities."
        return [Error(f"{unreadable}.", hint=hint, id="koshflow.E007")]
    return []
