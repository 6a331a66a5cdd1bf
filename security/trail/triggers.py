"""Triggers as text: written into the database after each `migrate`, and compared with what is there.

Not by migrations: SQLite drops a table's triggers whenever a migration changes the table, and a migration would keep
the text of its day. What a trigger says is looked up in the catalogue, so one that was changed counts as missing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from django.apps import apps
from django.db import connection, transaction

# Each trigger of PostgreSQL, and what it says with its function's body; "" for one that is switched off.
_POSTGRESQL = """
SELECT c.relname, t.tgname, CASE WHEN t.tgenabled IN ('O', 'A') THEN concat_ws(
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
WHERE NOT t.tgisinternal AND c.relnamespace = %s::regnamespace
"""
_SQLITE = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"
# What else can have a table note nothing, or show other rows than it holds: rules of others, policies for rows, tables
# whose rows are read with its own, and a session in which no trigger fires.
_OTHERS_IN_POSTGRESQL = """
WITH watched AS (
    SELECT oid, relname, relrowsecurity FROM pg_class
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY(%(tables)s)
)
SELECT 'rule ' || r.rulename || ' on ' || c.relname FROM pg_rewrite r JOIN watched c ON c.oid = r.ev_class
UNION ALL SELECT 'row level security on ' || relname FROM watched WHERE relrowsecurity
UNION ALL SELECT i.inhrelid::regclass || ' inherits ' || c.relname
    FROM pg_inherits i JOIN watched c ON c.oid = i.inhparent
UNION ALL SELECT 'session_replication_role' WHERE current_setting('session_replication_role') <> 'origin'
"""
_PATH = "SELECT pg_catalog.current_setting('search_path'), pg_catalog.current_schemas(true)"
_SET_PATH = "SELECT pg_catalog.set_config('search_path', %s, true)"


@dataclass(frozen=True, slots=True)
class Trigger:
    """`create` is spelled as the catalogue spells it. `body` is its function's, on PostgreSQL, of the same name."""

    name: str
    table: str
    create: str
    body: str = ""
    options: str = ""  # of that function
    schema: str = ""  # of both and of the table, on PostgreSQL

    @classmethod
    def postgresql(
        cls, name: str, table: str, when: str, *, schema: str, each: str, body: str, options: str = ""
    ) -> Self:
        create = f"CREATE TRIGGER {name} {when} ON {schema}.{table} FOR EACH {each} EXECUTE FUNCTION {schema}.{name}()"
        return cls(name, table, create, body, options, schema)

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
        function = f"CREATE OR REPLACE FUNCTION {self.schema}.{self.name}() RETURNS trigger LANGUAGE plpgsql"
        function = f"{function} {self.options} AS $body${self.body}$body$"
        return [f"DROP TRIGGER IF EXISTS {self.name} ON {self.schema}.{self.table}", function, self.create]


def not_in_place(triggers: Sequence[Trigger]) -> list[Trigger]:
    """Those of `triggers` that are missing, switched off, or not what they should be."""
    with _catalogue() as (cursor, _):
        there = _there(cursor, triggers)
    return [trigger for trigger in triggers if there.get((trigger.table, trigger.name)) != trigger.says]


def not_ours(triggers: Sequence[Trigger]) -> list[str]:
    """What others have put to the tables of our models, in words: any of it can have them note or show less, or have a
    statement of ours do more, which would be told in the name of whoever was served.
    """
    ours = {(trigger.table, trigger.name) for trigger in triggers}
    # Tables that another's migrations make (of procrastinate) have triggers of their own.
    tables = {one._meta.db_table for one in apps.get_models(include_auto_created=True) if one._meta.managed}
    with _catalogue() as (cursor, is_first):
        there = _there(cursor, triggers)
        others = [f"{name} on {table}" for table, name in there.keys() - ours if table in tables and there[table, name]]
        if connection.vendor == "postgresql":
            cursor.execute(_OTHERS_IN_POSTGRESQL, {"schema": triggers[0].schema, "tables": sorted(tables)})
            others += [what for (what,) in cursor.fetchall()]
    # Whatever stands before the catalogue is asked in its place, by all that the service itself asks.
    return [f"{what} (not ours)" for what in [*others, *([] if is_first else ["search_path"])]]


def _there(cursor: Any, triggers: Sequence[Trigger]) -> dict[tuple[str, str], str]:
    """(table, name) → what the catalogue tells of each trigger. By both: one of another table may bear its name."""
    if schema := triggers[0].schema:
        cursor.execute(_POSTGRESQL, [schema])
    else:
        cursor.execute(_SQLITE)
    return {(table, name): says for table, name, says in cursor.fetchall()}


@contextmanager
def _catalogue() -> Iterator[tuple[Any, bool]]:
    """A cursor to which every name is the catalogue's own, and whether it is the first place to be looked in anyway.

    Else a table of the same name in a schema before it would be read in its place; and even from behind it a function
    or an operator that fits its arguments better would be called.
    """
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            yield cursor, True
        return
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(_PATH)
        path, schemas = cursor.fetchone()
        cursor.execute(_SET_PATH, ["pg_catalog, pg_temp"])
        # What is temporary is of this session, which makes nothing there.
        yield cursor, next(name for name in schemas if not name.startswith("pg_temp_")) == "pg_catalog"
        cursor.execute(_SET_PATH, [path])


def put_in_place(triggers: Sequence[Trigger]) -> None:
    """Make those that are not in place. Needs the right to change the schema."""
    with transaction.atomic(), connection.cursor() as cursor:
        for trigger in not_in_place(triggers):
            for statement in trigger.statements:
                cursor.execute(statement)


def take_away(triggers: Sequence[Trigger]) -> None:
    """Drop them, where they are."""
    with transaction.atomic(), connection.cursor() as cursor:
        for trigger in triggers:
            cursor.execute(trigger.statements[0])
