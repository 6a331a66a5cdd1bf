"""An advised index in the words of whoever makes it: SQL, a line of Meta.indexes, an operation of a migration."""

import re
from hashlib import blake2b

from django.apps import apps
from django.db import models

from monitoring.database.advice.answers import AdvisedIndex, Served
from monitoring.database.advice.candidates import Candidate
from monitoring.database.advice.syntax import Key


def advised(
    candidate: Candidate,
    *,
    reason: str,
    confidence: str,
    saves_ms: float,
    serves: tuple[Served, ...],
    warnings: tuple[str, ...] = (),
    size_bytes: int | None = None,
    is_sqlite: bool = False,
) -> AdvisedIndex:
    """`candidate` as an index to make, with each way to make it."""
    return AdvisedIndex(
        table=candidate.table,
        keys=tuple(str(key) for key in candidate.keys),
        where=candidate.where,
        method=candidate.method,
        reason=reason,
        confidence=confidence,
        saves_ms=round(saves_ms, 1),
        serves=serves,
        warnings=warnings,
        sql=create_sql(candidate, is_sqlite=is_sqlite),
        meta=meta_line(candidate),
        migration=migration_line(candidate),
        size_bytes=size_bytes,
    )


def name_of(candidate: Candidate) -> str:
    """A name that is the same whenever the same index is advised; at most 30 characters, as Django wants."""
    digest = blake2b(candidate.sql.encode(), digest_size=3).hexdigest()
    words = "_".join(key.column or "expr" for key in candidate.keys)
    return f"{candidate.table[:10]}_{words[:8]}_{digest}_idx".replace("__", "_").strip("_")


def create_sql(candidate: Candidate, *, is_sqlite: bool = False) -> str:
    """What makes it; on PostgreSQL without keeping writers out, and not inside a transaction."""
    if is_sqlite:
        return f'CREATE INDEX IF NOT EXISTS "{name_of(candidate)}" ON "{candidate.table}" {candidate.keyed};'
    return f'CREATE INDEX CONCURRENTLY IF NOT EXISTS "{name_of(candidate)}" ON "{candidate.table}" {candidate.body};'


def meta_line(candidate: Candidate) -> str:
    """The line for `Meta.indexes` of its model, "" where no model has that table or Django cannot say it."""
    model = _model(candidate.table)
    if model is None:
        return ""
    expressions = [_expression(key, model) for key in candidate.keys]
    condition = _condition(candidate.where, model)
    if None in expressions or condition is None:
        return ""
    name = f'name="{name_of(candidate)}"'
    tail = f", condition={condition})" if condition else ")"
    if all(key.column and not key.nulls for key in candidate.keys):
        fields = [f'"{"-" if key.is_descending else ""}{_field(key.column, model)}"' for key in candidate.keys]
        classes = [key.opclass for key in candidate.keys]
        opclasses = f", opclasses={classes!r}".replace("'", '"') if any(classes) else ""
        kind = "GinIndex" if candidate.method == "gin" else "models.Index"
        return f"{kind}(fields=[{', '.join(fields)}], {name}{opclasses}{tail}"
    return f"models.Index({', '.join(str(one) for one in expressions)}, {name}{tail}"


def migration_line(candidate: Candidate) -> str:
    """The operation of a migration that has `atomic = False`; "" as for `meta_line`."""
    line = meta_line(candidate)
    model = _model(candidate.table)
    if not line or model is None:
        return ""
    return f'AddIndexConcurrently(model_name="{model._meta.model_name}", index={line})'


def _model(table: str) -> type[models.Model] | None:
    return next((model for model in apps.get_models() if model._meta.db_table == table), None)


def _field(column: str, model: type[models.Model]) -> str | None:
    return next((field.name for field in model._meta.concrete_fields if field.column == column), None)


def _expression(key: Key, model: type[models.Model]) -> str | None:
    text = key.sql if not key.column else ""
    function = re.fullmatch(r'(UPPER|LOWER)\((?:CAST\()?"(\w+)"(?: AS \w+\))?\)', text)
    column = key.column or (function[2] if function else "")
    field = _field(column, model) if column else None
    if field is None:
        return None
    inner = f'{function[1].title()}("{field}")' if function else f'F("{field}")'
    if key.is_descending or key.nulls:
        nulls = f"nulls_{key.nulls.lower()}=True" if key.nulls else ""
        inner += f".{'desc' if key.is_descending else 'asc'}({nulls})"
    return f'OpClass({inner}, name="{key.opclass}")' if key.opclass else inner


def _condition(where: str, model: type[models.Model]) -> str | None:
    """A Q object, "" where there is no condition, None where there is no such field."""
    if not where:
        return ""
    match = re.fullmatch(r'(NOT )?"(\w+)"(?: (IS NULL|IS NOT NULL|= \'(.*)\'))?', where)
    field = _field(match[2], model) if match else None
    if match is None or field is None:
        return None
    if match[3] is None:
        return f"Q({field}={not match[1]})"
    if match[3].startswith("IS"):
        return f"Q({field}__isnull={match[3] == 'IS NULL'})"
    return f'Q({field}="{match[4]}")'
