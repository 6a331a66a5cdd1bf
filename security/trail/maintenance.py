"""The one way past the guards of the audit tables, and what those guards ask where SQLite has no setting to read.

Whoever may change the schema can switch the guards off as well: they are the second layer, and the tree is the proof.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection, transaction

from security.trail.transactions import name_transactions

SETTING = "koshflow.audit_maintenance"  # of PostgreSQL, local to a transaction
FUNCTION = "koshflow_maintenance"  # of SQLite, on our connections only: any other client's statement fails

_is_open: ContextVar[bool] = ContextVar(FUNCTION, default=False)


@contextmanager
def maintenance() -> Iterator[None]:
    """Let this thread delete and change audit rows, in a transaction that ends with the block."""
    with transaction.atomic():
        _tell("on")
        token = _is_open.set(True)
        try:
            yield
        finally:
            _is_open.reset(token)
        _tell("off")  # after an error the transaction, rolled back, has forgotten it by itself


def _tell(value: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, value])


def prepare_connection(*, connection: Any, **_signal: object) -> None:
    """Give a new connection to SQLite what the triggers ask."""
    if connection.vendor != "sqlite":
        return
    raw = connection.connection
    raw.create_function(FUNCTION, 0, _is_open.get)
    name_transactions(connection)
    # Else INSERT OR REPLACE would delete rows without asking the guard.
    raw.execute("PRAGMA recursive_triggers = ON")
