"""Database and cache connections from their URLs. SQLite and the in-process cache are the embedded default."""

from pathlib import Path
from typing import Any

import dj_database_url

# How long a request waits for a connection of the pool before it is a 503.
_POOL_WAIT_SECONDS = 0.8


def databases(*, url: str, data_dir: Path, pool: int = 0) -> dict[str, dict[str, Any]]:
    """The `DATABASES` setting for a PostgreSQL `url`, or for SQLite in `data_dir` where it is empty.

    `pool` is the most connections that a process keeps in a pool; 0 keeps one a thread.
    """
    if not url:
        return {"default": _sqlite(data_dir / "koshflow.sqlite3")}
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    if database["ENGINE"] != "django.db.backends.postgresql":
        return {"default": _sqlite(Path(database["NAME"]))}
    options = database.setdefault("OPTIONS", {})
    options |= {
        # Prepared statements take two thirds off PostgreSQL's CPU for the session read (measured: 410 to 120 µs).
        "server_side_binding": True,
        "prepare_threshold": 3,
        # A dead host must become a 503, not a hanging worker; libpq makes two seconds of less than two.
        "connect_timeout": 2,
        "tcp_user_timeout": 5000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "application_name": "koshflow",
        "options": "-c lock_timeout=5s -c statement_timeout=15s",
    }
    database["CONN_MAX_AGE"] = 600
    if pool:
        options["pool"] = {"min_size": min(2, pool), "max_size": pool, "timeout": _POOL_WAIT_SECONDS}
        database["CONN_MAX_AGE"] = 0  # the pool keeps them, and Django refuses to as well
    # Django's would be a second statement on every request; database_waits looks at the socket instead.
    database["CONN_HEALTH_CHECKS"] = False
    database["ATOMIC_REQUESTS"] = False
    return {"default": database}


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            # IMMEDIATE: a read that later writes would otherwise fail at once with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }


def caches(*, url: str) -> dict[str, dict[str, Any]]:
    """Two aliases on one store: `default` may fail soft; `security` raises, and its caller says which way to fall.

    `counters` stores nothing: it is how django-ratelimit tells what is to be counted.
    """
    collecting = {"counters": {"BACKEND": "security.limits.counting.CollectingCache"}}
    if not url:
        local = "django.core.cache.backends.locmem.LocMemCache"
        return collecting | {
            "default": {"BACKEND": local, "LOCATION": "default"},
            "security": {"BACKEND": local, "LOCATION": "security", "OPTIONS": {"MAX_ENTRIES": 100_000}},
        }
    options = {
        "SERIALIZER": "django_redis.serializers.json.JSONSerializer",  # the default is pickle
        "SOCKET_CONNECT_TIMEOUT": 0.1,
        "SOCKET_TIMEOUT": 0.1,
    }
    redis = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}
    return collecting | {
        "default": redis | {"KEY_PREFIX": "kf", "OPTIONS": options | {"IGNORE_EXCEPTIONS": True}},
        "security": redis | {"KEY_PREFIX": "kfs", "OPTIONS": options},
    }
