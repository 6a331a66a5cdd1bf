"""Every place where a value could have stayed: all columns, the database as a thief has it, Redis, and the log."""

import logging
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session as CookieSession
from django.core.cache import caches
from django.db import connection

from tests.accounts.erasure.test_shred import dump_of_database


def columns() -> dict[str, bytes]:
    """`table.column` → every value there, of every table that is there; what a session of the admin holds is opened."""
    found: dict[str, bytes] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
            for position, name in enumerate(names):
                found[f"{table}.{name}"] = b"\n".join(_as_bytes(row[position]) for row in rows)
    opened = "\n".join(str(session.get_decoded()) for session in CookieSession.objects.all())
    return found | {"django_session.session_data": found["django_session.session_data"] + opened.encode()}


def database() -> dict[str, bytes]:
    """The database as it lies on the disk with its log of writes, and as an export without it."""
    if connection.vendor != "sqlite":
        return {"dump": dump_of_database()}  # pg_dump, plain
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as file:
        file.text_factory = lambda raw: raw.decode(errors="replace")
        export = "\n".join(file.iterdump()).encode()
    return {"dump": dump_of_database(), "export": export}


def shared_store() -> dict[str, bytes]:
    """Names and values of all that is in Redis, or in the caches of the process where there is none."""
    if not settings.IS_CACHE_SHARED:
        return {"caches": b"\n".join(_local(alias) for alias in ("default", "security"))}
    client: Any = caches["security"].client.get_client()  # type: ignore[attr-defined]
    return {"Redis": b"\n".join(key + b"=" + _in_redis(client, key) for key in client.scan_iter("*"))}


def _local(alias: str) -> bytes:
    cache: Any = caches[alias]
    return b"\n".join(f"{key}={pickle.loads(value)!r}".encode() for key, value in cache._cache.items())


def _in_redis(client: Any, key: bytes) -> bytes:
    kind = client.type(key)
    if kind == b"string":
        return bytes(client.get(key))
    reads = {b"hash": client.hgetall, b"set": client.smembers, b"list": lambda name: client.lrange(name, 0, -1)}
    read = reads.get(kind, lambda name: client.zrange(name, 0, -1, withscores=True))
    return repr(read(key)).encode()


def _as_bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


@contextmanager
def captured_log() -> Iterator[StringIO]:
    """All that the process writes to its streams within the block, its log at the level DEBUG."""
    root, written = logging.getLogger(), StringIO()
    level = root.level
    root.setLevel(logging.DEBUG)  # what LOG_LEVEL=DEBUG does
    try:
        with redirect_stderr(written), redirect_stdout(written):
            yield written
    finally:
        root.setLevel(level)
