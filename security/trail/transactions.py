"""The name of the transaction in which a row was written: what puts a change and the event that tells of it together.

PostgreSQL numbers its transactions; the moment at which one began beside the number, because a cluster that was
restored from a dump counts from the beginning again. SQLite tells nobody where a transaction ends, so there we name
them ourselves, one connection at a time.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.db import models

POSTGRESQL = (
    "pg_catalog.pg_current_xact_id()::text || '@' || extract(epoch FROM pg_catalog.transaction_timestamp())::text"
)
FUNCTION = "koshflow_transaction"
SQLITE = f"{FUNCTION}()"


class TransactionName(models.Expression):
    """The name of the present transaction, as an expression that the database fills in."""

    def __init__(self) -> None:
        super().__init__(output_field=models.TextField())

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return (POSTGRESQL if connection.vendor == "postgresql" else SQLITE), []


class Transactions:
    """Names the transactions of one connection to SQLite, as one of Django's execute wrappers.

    A transaction begins with a statement that starts while none is open, be it BEGIN or a write that is committed by
    itself; and no statement starts while none is open but those. So the name is forgotten there, and only there: it
    holds from BEGIN to COMMIT or ROLLBACK, over savepoints, and for the one statement without them.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._name = ""

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if not self._connection.connection.in_transaction:
            self._name = ""
        return execute(sql, params, many, context)

    def current(self) -> str:
        """Asked by the triggers, and by the INSERT of an event."""
        self._name = self._name or uuid4().hex
        return self._name


def name_transactions(connection: Any) -> None:
    """Have a new connection to SQLite answer what its transaction is called."""
    wrappers = connection.execute_wrappers
    # First, and once: `execute_wrapper` takes the last one off again, and a connection may be made a second time.
    if not (wrappers and isinstance(wrappers[0], Transactions)):
        wrappers.insert(0, Transactions(connection))
    connection.connection.create_function(FUNCTION, 0, wrappers[0].current)
