"""What may change in the audit tables, and the triggers that refuse the rest on PostgreSQL and on SQLite."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from django.apps import apps

from security.trail.maintenance import FUNCTION, SETTING
from security.trail.triggers import Trigger


@dataclass(frozen=True)
class Guard:
    """A table whose rows stay as they were written. `free` columns may change; those of `while_` on a condition."""

    table: str
    free: tuple[str, ...] = ()
    while_: Mapping[str, str] = field(default_factory=dict)
    may_delete: bool = False


GUARDS = (
    # A place in the tree is given once. The searchable address goes with its person, and follows the index key.
    Guard("audit_event", free=("address_index", "address_key"), while_={"tree_index": "OLD.tree_index IS NULL"}),
    Guard("audit_pii", may_delete=True),  # erasure
    Guard("audit_tile", while_={"hashes": "substr(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes"}),
    Guard("audit_checkpoint", while_={"note": "OLD.note = ''"}),
    Guard("audit_log"),
    Guard("audit_anchor"),
    Guard("audit_pruned"),
    Guard("audit_change"),  # the seal that makes an event of it takes it away, as maintenance
)

# The SQLSTATE is restrict_violation, which Django raises as IntegrityError, as it does SQLite's RAISE.
_REFUSE = f"""
  IF pg_catalog.current_setting('{SETTING}', true) = 'on' THEN
    IF TG_OP = 'UPDATE' THEN RETURN NEW; END IF;
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23001';
END"""


def postgresql_guards(schema: str) -> list[Trigger]:
    """For each table one trigger for rows, and one for TRUNCATE. `schema` is the one that holds the tables."""
    triggers = []
    for guard in GUARDS:
        make = partial(Trigger.postgresql, table=guard.table, schema=schema)
        events = "UPDATE" if guard.may_delete else "DELETE OR UPDATE"
        triggers += [
            make(f"{guard.table}_guard", when=f"BEFORE {events}", each="ROW", body=_row_body(guard)),
            make(f"{guard.table}_truncate", when="BEFORE TRUNCATE", each="STATEMENT", body=f"BEGIN{_REFUSE}"),
        ]
    return triggers


def _row_body(guard: Guard) -> str:
    """Compares the whole row, so that a column added later is guarded from the start."""
    free = [f"allowed.{name} := NEW.{name};" for name in guard.free]
    free += [f"IF {told} THEN allowed.{name} := NEW.{name}; END IF;" for name, told in guard.while_.items()]
    return f"""DECLARE
  allowed record;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    allowed := OLD;
    {" ".join(free)}
    IF NEW IS NOT DISTINCT FROM allowed THEN RETURN NEW; END IF;
  END IF;{_REFUSE}"""


def sqlite_guards() -> list[Trigger]:
    """For each table one trigger an operation; the function is asked for what breaks the rule, and named by all.

    That of INSERT refuses nothing to us. It is there for its name: a client without our function could else replace
    rows by INSERT OR REPLACE, which asks the guard of DELETE on our connections only.
    """
    triggers = []
    models = {model._meta.db_table: model for model in apps.get_app_config("security").get_models()}
    for guard in GUARDS:
        columns = [field.column for field in models[guard.table]._meta.concrete_fields]
        fixed = [name for name in columns if name not in guard.free and name not in guard.while_]
        wrong = [f"OLD.{name} IS NOT NEW.{name}" for name in fixed]
        wrong += [f"NOT ({told}) AND OLD.{name} IS NOT NEW.{name}" for name, told in guard.while_.items()]
        when = {"INSERT": f"{FUNCTION}() IS NULL", "UPDATE": f"({' OR '.join(wrong)}) AND NOT {FUNCTION}()"}
        if not guard.may_delete:
            when["DELETE"] = f"NOT {FUNCTION}()"
        for operation, condition in when.items():
            name = f"{guard.table}_{operation.lower()}"
            body = f"SELECT RAISE(ABORT, '{guard.table} is append-only');"
            triggers.append(Trigger.sqlite(name, guard.table, f"BEFORE {operation}", when=condition, body=body))
    return triggers
