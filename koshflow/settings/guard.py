"""What stops the start: mistakes everywhere, weaknesses in production. It names what is wrong in the values given."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

from security.syslog_url import DestinationMisnamed, parse_destination

_TLS_TO_DATABASE = "verify-full"
_LEAST_ROUNDS, _MOST_ROUNDS = 10, 16
LEAST_THREADS = 8
_MAIL_SCHEMES = ("submission", "smtp")
# A URL, a space, and what looks like a key; whether it is one, `manage.py check` says (koshflow.E005).
_WITNESS = re.compile(r"https?://[^\s/?#@]+[^\s?#@]* +[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+")
# Whether the class is one and the days are enough, `manage.py check` says (koshflow.E006).
_DAYS = re.compile(r"[a-z]+=[0-9]{1,5}")
# 24 to 64 bytes; whether it is base64 to the last bit, the first delivery would say.
_WEBHOOK_SECRET = re.compile(r"whsec_(?:[A-Za-z0-9+/]{4}){8,21}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_MAIL = re.compile(r"\s*[^\s@]+@[^\s@]+\s*")
_DSN = re.compile(r"https?://[0-9A-Za-z]+(:[0-9A-Za-z]+)?@[0-9A-Za-z.-]+(:[0-9]+)?(/[\w.~-]+)*/[0-9]+", re.ASCII)
_URLS = (
    *("PUBLIC_URL", "WEB_URL", "DATABASE_URL", "REDIS_URL", "EMAIL_URL"),
    *("ALERT_WEBHOOK_URL", "ALERT_SLACK_URL", "ALERT_PAGERDUTY_URL", "ALERT_HEARTBEAT_URL"),
)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_RATE = re.compile(r"[1-9][0-9]{0,8}/([1-9][0-9]{0,4})?[smhd]")


def unreadable(env: Mapping[str, Any]) -> list[str]:
    """One sentence for each URL that is none. Asked first, and alone: what takes them apart fails on such a one, and
    Python's words for it quote a password that was written as it is.
    """
    urls = [(name, env.get(name, "")) for name in _URLS]
    urls += [("AUDIT_WITNESSES", entry.strip().partition(" ")[0]) for entry in env.get("AUDIT_WITNESSES", [])]
    return [
        f"{name}: cannot be read as a URL; write %2F for / in a user or password, and likewise for #, ?, :, @, [ and ]."
        for name, url in urls
        if not _is_readable(url)
    ]


def _is_readable(url: str) -> bool:
    try:
        _ = urlsplit(url).port  # reading it says whether it is one
    except ValueError:
        return False
    return True


def mistakes(env: Mapping[str, Any]) -> list[str]:
    """One sentence for each setting that is well formed as text and still means nothing, in any environment."""
    found = []
    for name in ("TRUSTED_PROXIES", "OPERATOR_NETWORKS", "ALERT_PRIVATE_NETWORKS"):
        for text in env[name]:
            try:
                ip_network(text, strict=False)
            except ValueError:
                found.append(f"{name}: {text!r} is no network; write 10.0.4.0/24 or 192.0.2.7.")
    if not 3 <= env["SCREENING_THRESHOLD"] <= 20:
        found.append("SCREENING_THRESHOLD: must be from 3 to 20.")
    if env["SLOW_QUERY_MS"] < 1:
        found.append("SLOW_QUERY_MS: must be at least 1.")
    if not 1 <= env["BACKUP_MAX_AGE_HOURS"] <= 720:
        found.append("BACKUP_MAX_AGE_HOURS: must be from 1 to 720.")
    if not 0 <= env["DRAIN_SECONDS"] <= 120:
        found.append("DRAIN_SECONDS: must be from 0 to 120.")
    if env["DATABASE_POOL"] < 0:
        found.append("DATABASE_POOL: must be 0, or the most connections of one process.")
    if env["EMAIL_URL"] and urlsplit(env["EMAIL_URL"]).scheme not in _MAIL_SCHEMES:
        # The library that reads it takes any other for a relay without TLS.
        found.append("EMAIL_URL: must begin with submission:// (TLS), or with smtp:// for a relay beside us.")
    found += [
        f"AUDIT_WITNESSES: {entry!r} is no witness; write its URL, a space, and its key."
        for entry in env["AUDIT_WITNESSES"]
        if not _WITNESS.fullmatch(entry.strip())
    ]
    if env["AUDIT_SYSLOG"]:
        try:
            parse_destination(env["AUDIT_SYSLOG"])
        except DestinationMisnamed as misnamed:
            found.append(f"AUDIT_SYSLOG: {misnamed}.")
    found += [
        f"AUDIT_RETENTION_DAYS: {entry!r} is no class and days; write noise=365."
        for entry in env["AUDIT_RETENTION_DAYS"]
        if not _DAYS.fullmatch(entry.strip())
    ]
    found += [
        f"{name}: {rate!r} is no rate; write 100/15m (number, slash, period in s, m, h or d)."
        for name, rate in env.items()
        if name.startswith("RATE_LIMIT_") and not _RATE.fullmatch(rate)
    ]
    return [*found, *_alerts(env), *_sentry(env["SENTRY_DSN"])]


def _alerts(env: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("ALERT_WEBHOOK_URL", "ALERT_SLACK_URL", "ALERT_PAGERDUTY_URL", "ALERT_HEARTBEAT_URL"):
        url = urlsplit(env[name])
        is_plain = url.scheme == "http" and env["ALERT_PRIVATE_NETWORKS"]
        if env[name] and not ((url.scheme == "https" or is_plain) and url.hostname and "@" not in url.netloc):
            found.append(
                f"{name}: must begin with https:// and hold no user; http:// only beside ALERT_PRIVATE_NETWORKS."
            )
    if env["ALERT_WEBHOOK_URL"] and not env["ALERT_WEBHOOK_SECRETS"]:
        found.append("ALERT_WEBHOOK_SECRETS: ALERT_WEBHOOK_URL needs one, or nobody can tell whose alerts these are.")
    if not all(_WEBHOOK_SECRET.fullmatch(secret.strip()) for secret in env["ALERT_WEBHOOK_SECRETS"]):
        found.append("ALERT_WEBHOOK_SECRETS: each is whsec_ and base64 of 24 to 64 bytes.")
    found += [
        f"ALERT_MAIL_TO: {address!r} is no address." for address in env["ALERT_MAIL_TO"] if not _MAIL.fullmatch(address)
    ]
    return found


def _sentry(dsn: str) -> list[str]:
    if not dsn:
        return []
    if not _is_dsn(dsn):
        return ["SENTRY_DSN: must be https://KEY@HOST/PROJECT as Sentry shows it; http:// only to a loopback address."]
    if not all(find_spec(package) for package in ("sentry_sdk", "urllib3", "certifi")):
        return [
            "SENTRY_DSN: needs packages that are not installed; run "
            "`.venv/bin/python -m pip install --require-hashes -r requirements/sentry.txt`, or leave it empty."
        ]
    return []


def _is_dsn(text: str) -> bool:
    if not _is_readable(text):
        return False
    dsn = urlsplit(text)
    is_private = dsn.scheme == "https" or (dsn.scheme == "http" and dsn.hostname in _LOOPBACK)
    # Sentry's own reader loses the brackets of an IPv6 address, and whatever else would be in a URL has no meaning.
    return is_private and _DSN.fullmatch(text) is not None


def weaknesses(env: Mapping[str, Any]) -> list[str]:
    """One sentence for each setting that production must not have; empty when it may start."""
    return [*_names(env), *_stores(env), *_numbers(env)]


def _names(env: Mapping[str, Any]) -> list[str]:
    found = []
    if any("*" in host for host in env["ALLOWED_HOSTS"]):
        found.append("ALLOWED_HOSTS: a wildcard lets a forged Host header through; name the hosts.")
    if any("*" in origin for origin in env["CORS_ALLOWED_ORIGINS"]):
        found.append("CORS_ALLOWED_ORIGINS: a wildcard with credentials opens the API to every page; name the origins.")
    for name in ("PUBLIC_URL", "WEB_URL"):
        if urlsplit(env[name]).scheme != "https":
            found.append(f"{name}: must begin with https://.")
    for entry in env["AUDIT_WITNESSES"]:
        witness = urlsplit(entry.split()[0] if entry.strip() else "")
        if witness.scheme != "https" and witness.hostname not in _LOOPBACK:
            found.append("AUDIT_WITNESSES: a witness on another host must be reached by https://.")
    return found


def _stores(env: Mapping[str, Any]) -> list[str]:
    found = []
    database = urlsplit(env["DATABASE_URL"])
    options = parse_qs(database.query)
    if database.scheme not in ("postgres", "postgresql"):
        found.append("DATABASE_URL: production needs PostgreSQL.")
    elif not _is_unix_socket(database.hostname or "", options) and options.get("sslmode") != [_TLS_TO_DATABASE]:
        found.append(
            f"DATABASE_URL: must say sslmode={_TLS_TO_DATABASE}; anything less lets a stranger pose as the database."
        )
    cache = urlsplit(env["REDIS_URL"])
    if cache.scheme not in ("rediss", "unix"):
        found.append("REDIS_URL: must begin with rediss:// (TLS) or unix://.")
    return found


def _is_unix_socket(host: str, options: Mapping[str, list[str]]) -> bool:
    return host.lower().startswith("%2f") or any(value.startswith("/") for value in options.get("host", []))


def _numbers(env: Mapping[str, Any]) -> list[str]:
    found = []
    if not _LEAST_ROUNDS <= env["BCRYPT_ROUNDS"] <= _MOST_ROUNDS:
        found.append(f"BCRYPT_ROUNDS: must be from {_LEAST_ROUNDS} to {_MOST_ROUNDS}.")
    if env["WEB_THREADS"] < LEAST_THREADS:
        found.append(
            f"WEB_THREADS: must be at least {LEAST_THREADS}; one thread hashes and two wait, the rest must answer."
        )
    return found
