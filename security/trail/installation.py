"""Which triggers a database must have, put there after each `migrate` and looked for by the audits."""

from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from security.trail.changes import CHANGES, postgresql_changes, sqlite_changes
from security.trail.guards import postgresql_guards, sqlite_guards
from security.trail.triggers import Trigger, not_in_place, not_ours, put_in_place, take_away


def install_triggers(*, using: str = DEFAULT_DB_ALIAS, **_signal: Any) -> None:
    """Put every trigger in place; idempotent, and costs a query or two where all are.

    None stays where `migrate` went back to before they were: what they write to is gone.
    """
    connection, triggers = connections[using], _triggers(using)
    if not not_in_place(connection, triggers):
        return
    tables = set(connection.introspection.table_names())
    if CHANGES not in tables:
        take_away(connection, triggers)
    else:
        put_in_place(connection, [trigger for trigger in triggers if trigger.table in tables])


def make_way(*, using: str = DEFAULT_DB_ALIAS, plan: Sequence[Any] = (), **_signal: Any) -> None:
    """Take the triggers of SQLite away before migrations, which else could neither rename a table nor drop a column.

    What a migration itself writes there is told by nobody. PostgreSQL keeps its triggers; a migration that drops a
    watched column drops the trigger first.
    """
    if plan and connections[using].vendor == "sqlite":
        take_away(connections[using], _triggers(using))


def triggers_not_in_place(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Names of the triggers that are missing, switched off or changed, and of what others put beside them; in order."""
    connection, triggers = connections[using], _triggers(using)
    missing = (trigger.name for trigger in not_in_place(connection, triggers))
    return sorted([*missing, *not_ours(connection, triggers)])


def trigger_count(*, using: str = DEFAULT_DB_ALIAS) -> int:
    """How many triggers this database must have."""
    return len(_triggers(using))


def _triggers(using: str) -> list[Trigger]:
    connection = connections[using]
    if connection.vendor != "postgresql":
        return sqlite_guards() + sqlite_changes()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.quote_ident(pg_catalog.current_schema())")
        (schema,) = cursor.fetchone()
    return postgresql_guards(schema) + postgresql_changes(schema)
