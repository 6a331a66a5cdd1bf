"""How the product reaches its stores: PostgreSQL, Redis and the mail relay, as the settings say. See also `live`."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from security.posture.registry import Fault, Severity, finding

_POSTGRESQL = "django.db.backends.postgresql"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _database() -> dict[str, Any]:
    database: dict[str, Any] = settings.DATABASES["default"]
    return database


def _caches() -> Iterable[tuple[str, dict[str, Any], str]]:
    """Name, settings and address of each Redis cache."""
    for name, cache in settings.CACHES.items():
        if "redis" in cache["BACKEND"].lower():
            location = cache["LOCATION"]
            yield name, cache, location if isinstance(location, str) else location[0]


def is_by_socket(database: dict[str, Any]) -> bool:
    """Whether the database is reached by a Unix socket, which nobody on the network hears."""
    host = database.get("HOST") or ""
    return host == "" or host.startswith("/")


@finding(
    "KF.S016",
    severity=Severity.HIGH,
    title="The database is a file",
    why="SQLite has no roles, no TLS and no second host; a copy of the file is a copy of everything.",
    remedy="Set DATABASE_URL to PostgreSQL.",
    production_only=True,
)
def database_is_a_file() -> Iterable[Fault]:
    if _database()["ENGINE"] != _POSTGRESQL:
        yield Fault("DATABASE_URL", f"the database is {_database()['ENGINE'].rsplit('.', 1)[-1]}")


@finding(
    "KF.S017",
    severity=Severity.HIGH,
    title="The database's name is not verified",
    why="Below sslmode=verify-full a stranger on the network poses as the database, or reads along.",
    remedy="Say sslmode=verify-full in DATABASE_URL, with sslrootcert for your own authority.",
    production_only=True,
)
def database_tls_is_loose() -> Iterable[Fault]:
    database = _database()
    if database["ENGINE"] != _POSTGRESQL or is_by_socket(database):
        return
    mode = database["OPTIONS"].get("sslmode", "prefer")
    if mode != "verify-full":
        yield Fault("DATABASE_URL", f"sslmode is {mode}")


@finding(
    "KF.S018",
    severity=Severity.HIGH,
    title="Redis is reached in clear",
    why="Counters, sessions of the admin and revocations can be read and changed on the way.",
    remedy="Begin REDIS_URL with rediss:// or unix://, and let it verify the certificate.",
    production_only=True,
)
def redis_without_tls() -> Iterable[Fault]:
    for name, _, location in _caches():
        url = urlsplit(location)
        if url.scheme not in ("rediss", "unix"):
            yield Fault(f"cache {name}", f"the cache {name} is reached by {url.scheme}://")
        elif "ssl_cert_reqs=none" in url.query.lower():
            yield Fault(f"cache {name}", f"the cache {name} takes any certificate (ssl_cert_reqs=none)")


@finding(
    "KF.S019",
    severity=Severity.MEDIUM,
    title="Redis asks for no password",
    why="Whoever reaches its port empties the lock-outs.",
    remedy="Give Redis a password (requirepass or an ACL) and name it in REDIS_URL.",
    production_only=True,
)
def redis_without_password() -> Iterable[Fault]:
    for name, cache, location in _caches():
        url = urlsplit(location)
        if url.scheme != "unix" and not url.password and not cache.get("OPTIONS", {}).get("PASSWORD"):
            yield Fault(f"cache {name}", f"the cache {name} is reached without a password")


@finding(
    "KF.S020",
    severity=Severity.HIGH,
    title="The cache is read with pickle",
    why="Whoever writes one value into Redis runs code in every process (ASVS 1.5.2).",
    remedy="Set SERIALIZER to django_redis.serializers.json.JSONSerializer.",
)
def cache_is_pickled() -> Iterable[Fault]:
    for name, cache, _ in _caches():
        if "json" not in str(cache.get("OPTIONS", {}).get("SERIALIZER", "pickle")).lower():
            yield Fault(f"cache {name}", f"the cache {name} has no JSON serializer")


@finding(
    "KF.S021",
    severity=Severity.HIGH,
    title="Mail leaves in clear",
    why="Links that reset passwords can be read on the way to the relay.",
    remedy="Write EMAIL_URL as submission://user:password@host:587, or as smtp://user:password@host:465/?ssl=True.",
    production_only=True,
)
def mail_without_tls() -> Iterable[Fault]:
    by_smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and settings.EMAIL_HOST not in _LOOPBACK
    if by_smtp and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL):
        yield Fault("EMAIL_URL", "the relay is reached without TLS")
