"""Triggers as text: written into the database after each `migrate`, and compared with what is there.

Not by migrations: SQLite drops a table's triggers whenever a migration changes the table, and a migration would keep
the text of its day. What a trigger says is looked up in the catalogue, so one that was changed counts as missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db import transaction

# What a trigger of PostgreSQL says, with its function's body; "" for one that is switched off.
_POSTGRESQL = """
SELECT t.tgname, CASE WHEN t.tgenabled IN ('O', 'A') THEN concat_ws(
    E'\\n',
    pg_get_triggerdef(t.oid, true),
    concat_ws(
        ' ',
        CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END,
        'SET ' || replace(array_to_string(p.proconfig, ' SET '), '=', ' = ')
    ),
    p.prosrc
) ELSE '' END
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""
_SQLITE = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


@dataclass(frozen=True, slots=True)
class Trigger:
    """`create` is spelled as the catalogue spells it. `body` is its function's, on PostgreSQL, of the same name."""

    name: str
    table: str
    create: str
    body: str = ""
    options: str = ""  # of that function

    @classmethod
    def postgresql(cls, name: str, table: str, when: str, *, each: str, body: str, options: str = "") -> Self:
        create = f"CREATE TRIGGER {name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()"
        return cls(name, table, create, body, options)

    @classmethod
    def sqlite(cls, name: str, table: str, operation: str, *, when: str, body: str) -> Self:
        return cls(name, table, f"CREATE TRIGGER {name} {operation} ON {table} WHEN {when} BEGIN {body} END")

    @property
    def says(self) -> str:
        """What the catalogue tells of it."""
        return f"{self.create}\n{self.options}\n{self.body}" if self.body else self.create

    @property
    def statements(self) -> list[str]:
        """What makes it, in the place of any other of its name."""
        if not self.body:
            return [f"DROP TRIGGER IF EXISTS {self.name}", self.create]
        function = f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql {self.options}"
        function = f"{function} AS $body${self.body}$body$"
        return [f"DROP TRIGGER IF EXISTS {self.name} ON {self.table}", function, self.create]


def not_in_place(connection: Any, triggers: Sequence[Trigger]) -> list[Trigger]:
    """Those of `triggers` that are missing, switched off, or not what they should be."""
    with connection.cursor() as cursor:
        cursor.execute(_POSTGRESQL if connection.vendor == "postgresql" else _SQLITE)
        there = dict(cursor.fetchall())
    return [trigger for trigger in triggers if there.get(trigger.name) != trigger.says]


def put_in_place(connection: Any, triggers: Sequence[Trigger]) -> None:
    """Make those that are not in place. Needs the right to change the schema."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for trigger in not_in_place(connection, triggers):
            for statement in trigger.statements:
                cursor.execute(statement)


def take_away(connection: Any, triggers: Sequence[Trigger]) -> None:
    """Drop them, where they are."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for trigger in triggers:
            cursor.execute(trigger.statements[0])
