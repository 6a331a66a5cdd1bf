"""What a test of the harness does to any server, whichever kind it is."""

import contextlib

import psutil
import psycopg
import redis as redis_client

from tests.services import postgres, redis
from tests.waiting import until

STARTERS = {"postgres": postgres, "redis": redis}


def write(server, value):
    if server.name == "PostgreSQL":
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS note (value text)")
            connection.execute("INSERT INTO note VALUES (%s)", [value])
    else:
        with redis_client.Redis.from_url(server.url) as client:
            client.sadd("note", value)


def read(server, *, patience_seconds=5):
    """Every value written so far, as a set; raises the driver's own error when nobody answers."""
    if server.name == "PostgreSQL":
        with psycopg.connect(server.url, connect_timeout=patience_seconds) as connection:
            return {row[0] for row in connection.execute("SELECT value FROM note")}
    with redis_client.Redis.from_url(server.url, socket_timeout=patience_seconds) as client:
        return {value.decode() for value in client.smembers("note")}


def is_alive(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def wait_for_end(process):
    until(lambda: not is_alive(process), what=f"the end of {process}", seconds=20)
