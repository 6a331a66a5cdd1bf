"""How long a process that serves waits for an answer of PostgreSQL, measured on its own side.

`statement_timeout` is kept by the server: one that is frozen keeps nothing, and its kernel goes on answering
keepalives. Without this, each request that meets a frozen server holds its thread until all are held, and then
not even /health/live answers.
"""

from typing import Any

import psycopg
from django.db.backends.signals import connection_created

# Above lock_timeout (5 s), whose refusal says more.
ANSWER_SECONDS = 6.0


def bound_waits() -> None:
    """Bound the waits of every connection made from now on in this process. A second call changes nothing."""
    connection_created.connect(_bound, dispatch_uid="bounded waits")


def _bound(*, connection: Any, **_signal: object) -> None:
    if connection.vendor != "postgresql":
        return
    raw = connection.connection
    wait = raw.wait

    def bounded(gen: Any, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        try:
            return wait(gen, *args, timeout=timeout or ANSWER_SECONDS, **kwargs)
        except psycopg.errors._WaitTimeout as error:
            # Its state is unknown, and a later answer must not be taken for that of another statement.
            raw.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {ANSWER_SECONDS:g} s") from error

    raw.wait = bounded
