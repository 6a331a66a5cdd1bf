"""How long a process that serves waits for an answer of PostgreSQL, measured on its own side, and on what connection.

`statement_timeout` is kept by the server: one that is frozen keeps nothing, and its kernel goes on answering
keepalives. Without this, each request that meets a frozen server holds its thread until all are held, and then
not even /health/live answers.

A server that restarts leaves each idle connection dead. Its end has reached our socket by then, so a look there
tells it before the first statement, without one of our own.
"""

import select
from typing import Any

import psycopg
from django.db.backends.signals import connection_created
from psycopg.pq import TransactionStatus

# Above lock_timeout (5 s), whose refusal says more.
ANSWER_SECONDS = 6.0


def bound_waits() -> None:
    """Bound the waits of every connection made from now on in this process, and let a request begin on none that
    is dead. A second call changes nothing.
    """
    connection_created.connect(_bound, dispatch_uid="bounded waits")


def _bound(*, connection: Any, **_signal: object) -> None:
    if connection.vendor != "postgresql":
        return
    raw = connection.connection
    if hasattr(raw, "is_bounded"):  # out of a pool, where it was before
        _look_before_use(connection, raw)
        return
    raw.is_bounded = True
    wait = raw.wait

    def bounded(gen: Any, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        try:
            return wait(gen, *args, timeout=timeout or ANSWER_SECONDS, **kwargs)
        except psycopg.errors._WaitTimeout as error:
            # Its state is unknown, and a later answer must not be taken for that of another statement.
            raw.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {ANSWER_SECONDS:g} s") from error

    raw.wait = bounded
    _look_before_use(connection, raw)


def _look_before_use(connection: Any, raw: Any) -> None:
    """Give `connection` Django's health check once a request, with a look at the socket (1 µs) for its SELECT 1."""
    socket = select.poll()
    socket.register(raw.fileno(), select.POLLIN)

    def is_usable() -> bool:
        # A healthy server says nothing unasked: what there is to read is the end, or its reason.
        return raw.pgconn.transaction_status == TransactionStatus.IDLE and not socket.poll(0)

    connection.is_usable = is_usable
    connection.health_check_enabled = True
