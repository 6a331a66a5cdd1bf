"""The triggers that note each written row of a watched table, on PostgreSQL and on SQLite.

After the row was written, in the transaction that wrote it: rolled back with it, and there when it is. An UPDATE that
names no watched column fires nothing, so a refresh and a sign-in's `last_login` cost nothing.
"""

from collections.abc import Mapping
from functools import partial

from security.trail.audited import Audited, audited
from security.trail.transactions import POSTGRESQL, SQLITE
from security.trail.triggers import Trigger

CHANGES = "audit_change"
_COLUMNS = "table_name, operation, row_key, subject, old_values, new_values, db_client"
_NOW_IN_SQLITE = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
# A fixed path, so that nobody lends the function tables or operators of their own; the owner's rights, so that a role
# that may write the table need not be able to write here.
_FIXED_PATH = "SET search_path = pg_catalog, pg_temp"
_AS_OWNER = f"SECURITY DEFINER {_FIXED_PATH}"
# Of what a note says, who and when is what the folding believes: no statement says it, and none of somebody's own
# gets in. One by a trigger of theirs is of their transaction, and so of no act of ours.
_NOTED = f"{CHANGES}_noted"
_NOT_BY_HAND = f"{CHANGES} is written by triggers alone"
_FILL_IN = f"""BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION '{_NOT_BY_HAND}' USING ERRCODE = '23001';
  END IF;
  NEW.tx := {POSTGRESQL};
  NEW.at := clock_timestamp();
  NEW.db_role := session_user;
  RETURN NEW;
END"""


def postgresql_changes(schema: str) -> list[Trigger]:
    """For each table one trigger for rows, and one for TRUNCATE; and one for the notes that they make.

    `schema` is the one that holds the tables.
    """
    noted = partial(Trigger.postgresql, _NOTED, CHANGES, "BEFORE INSERT", schema=schema)
    triggers = [noted(each="ROW", body=_FILL_IN, options=_FIXED_PATH)]
    for entry in audited():
        events = f"AFTER {'INSERT OR ' if entry.inserts else ''}DELETE OR UPDATE OF {', '.join(entry.watched)}"
        make = partial(Trigger.postgresql, table=entry.table, schema=schema, options=_AS_OWNER)
        body, emptied = _row_body(entry, schema), f"BEGIN{_note(entry, schema, whole_table=True)}\n  RETURN NULL;\nEND"
        triggers += [
            make(f"{entry.table}_trail", when=events, each="ROW", body=body),
            make(f"{entry.table}_trail_truncate", when="AFTER TRUNCATE", each="STATEMENT", body=emptied),
        ]
    return triggers


def _row_body(entry: Audited, schema: str) -> str:
    differs = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in entry.watched)
    over = _over(entry, "clock_timestamp()") or "false"
    marked = "".join(
        f"\n      {row}_values := {row}_values || {_object('jsonb_build_object', _marks(entry, row, 'DISTINCT FROM'))};"
        for row in ("old", "new")
    )
    return f"""DECLARE
  row_key text;
  subject uuid;
  old_values jsonb;
  new_values jsonb;
BEGIN
  IF TG_OP = 'UPDATE' AND NOT ({differs}) THEN RETURN NULL; END IF;
  IF TG_OP = 'DELETE' AND ({over}) THEN RETURN NULL; END IF;
  IF TG_OP <> 'INSERT' THEN
    row_key := OLD.{entry.row}::text;
    subject := {_subject(entry, "OLD", schema)};
    old_values := {_object("jsonb_build_object", _told(entry, "OLD", schema))};
  END IF;
  IF TG_OP <> 'DELETE' THEN
    row_key := NEW.{entry.row}::text;
    subject := {_subject(entry, "NEW", schema)};
    new_values := {_object("jsonb_build_object", _told(entry, "NEW", schema))};
    IF TG_OP = 'UPDATE' THEN{marked}
    END IF;
  END IF;{_note(entry, schema)}
  RETURN NULL;
END"""


def _note(entry: Audited, schema: str, *, whole_table: bool = False) -> str:
    row = "'', NULL, NULL, NULL" if whole_table else "row_key, subject, old_values, new_values"
    # S608: here and below every word is of this module, or of the lists in code.
    return f"""
  INSERT INTO {schema}.{CHANGES} ({_COLUMNS}) VALUES (
    '{entry.table}', lower(TG_OP), {row}, current_setting('application_name')
  );"""  # noqa: S608


def sqlite_changes() -> list[Trigger]:
    """For each table one trigger an operation; and one that refuses notes of another transaction than the present one.

    SQLite neither tells how deep a trigger is nor lets one change what is inserted.
    """
    refuse = f"SELECT RAISE(ABORT, '{_NOT_BY_HAND}');"
    triggers = [Trigger.sqlite(_NOTED, CHANGES, "BEFORE INSERT", when=f"NEW.tx IS NOT {SQLITE}", body=refuse)]
    for entry in audited():
        differs = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in entry.watched)
        old, new = (_object("json_object", _told(entry, row)) for row in ("OLD", "NEW"))
        was, now = (
            f"json_patch({told}, {_object('json_object', _marks(entry, row, 'NOT'))})"
            for told, row in ((old, "old"), (new, "new"))
        )
        over = f"NOT ({_over(entry, _NOW_IN_SQLITE)})" if entry.over else "1"
        events = [("insert", "AFTER INSERT", "1", "NEW", "NULL", new)] if entry.inserts else []
        events += [
            ("update", f"AFTER UPDATE OF {', '.join(entry.watched)}", differs, "NEW", was, now),
            ("delete", "AFTER DELETE", over, "OLD", old, "NULL"),
        ]
        for operation, event, condition, row, before, after in events:
            written = f"'{entry.table}', '{operation}', {row}.{entry.row}, {_subject(entry, row)}, {before}, {after}"
            values = f"{written}, '', {SQLITE}, {_NOW_IN_SQLITE}, ''"
            body = f"INSERT INTO {CHANGES} ({_COLUMNS}, tx, at, db_role) VALUES ({values});"  # noqa: S608
            name = f"{entry.table}_trail_{operation}"
            triggers.append(Trigger.sqlite(name, entry.table, event, when=condition, body=body))
    return triggers


def _told(entry: Audited, row: str, schema: str = "") -> dict[str, str]:
    told = {name: f"{row}.{name}" for name in entry.values}
    return told | {name.removesuffix("_id"): _pseudonym(entry, name, row, schema) for name in entry.people}


def _marks(entry: Audited, row: str, differs: str) -> dict[str, str]:
    """What else an UPDATE tells of OLD or NEW; null where nothing differs.

    That a column changed; and of what names the row, what it was and is.
    """
    changed = {*entry.changed, entry.key} - {entry.row} if row == "new" else ()
    words = dict.fromkeys(sorted(changed), "'changed'") | {entry.row: f"{row.upper()}.{entry.row}"}
    return {name: f"CASE WHEN OLD.{name} IS {differs} NEW.{name} THEN {word} END" for name, word in words.items()}


def _pseudonym(entry: Audited, column: str, row: str, schema: str) -> str:
    table = f"{schema}.{entry.people[column]}" if schema else entry.people[column]
    return f"(SELECT named.subject_id FROM {table} named WHERE named.id = {row}.{column})"  # noqa: S608


def _subject(entry: Audited, row: str, schema: str = "") -> str:
    if entry.subject in entry.people:
        return _pseudonym(entry, entry.subject, row, schema)
    return f"{row}.{entry.subject}" if entry.subject else "NULL"


def _over(entry: Audited, now: str) -> str:
    return entry.over.replace("NOW", now)


def _object(function: str, members: Mapping[str, str]) -> str:
    listed = ", ".join(f"'{name}', {value}" for name, value in members.items())
    return f"{function}({listed})"
