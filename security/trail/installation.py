"""Which triggers a database must have, put there after each `migrate` and looked for by the audits."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from security.trail.changes import CHANGES, postgresql_changes, sqlite_changes
from security.trail.guards import postgresql_guards, sqlite_guards
from security.trail.triggers import Trigger, not_in_place, not_ours, put_in_place, take_away


def install_triggers(**_signal: Any) -> None:
    """Put every trigger in place; idempotent, and costs a query or two where all are.

    None stays where `migrate` went back to before they were: what they write to is gone.
    """
    triggers = _triggers()
    if not not_in_place(triggers):
        return
    tables = set(connection.introspection.table_names())
    if CHANGES not in tables:
        take_away(triggers)
    else:
        put_in_place([trigger for trigger in triggers if trigger.table in tables])


def make_way(*, plan: Sequence[Any] = (), **_signal: Any) -> None:
    """Take the triggers of SQLite away before migrations, which else could neither rename a table nor drop a column.

    What a migration itself writes there is told by nobody. PostgreSQL keeps its triggers; a migration that drops a
    watched column drops the trigger first.
    """
    if plan and connection.vendor == "sqlite":
        take_away(_triggers())


def triggers_not_in_place() -> list[str]:
    """Names of the triggers that are missing, switched off or changed, and of what others put beside them; in order."""
    triggers = _triggers()
    missing = (trigger.name for trigger in not_in_place(triggers))
    return sorted([*missing, *not_ours(triggers)])


def trigger_count() -> int:
    """How many triggers this database must have."""
    return len(_triggers())


def _triggers() -> list[Trigger]:
    if connection.vendor != "postgresql":
        return sqlite_guards() + sqlite_changes()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.quote_ident(pg_catalog.current_schema())")
        (schema,) = cursor.fetchone()
    return postgresql_guards(schema) + postgresql_changes(schema)
