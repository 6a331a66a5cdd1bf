"""Which indexes could serve a statement, by what it asks of its tables. Pure; whether one does is not decided here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from monitoring.database.advice.schema import Column, Schema, Table
from monitoring.database.advice.syntax import Condition, Key, Use
from monitoring.database.advice.values import like_form, shape_at

MOST_KEYS = 4
MOST_CANDIDATES = 40
# Below these shares of the rows an index of only those is worth its narrower use.
_RARE, _RARE_VALUE = 0.20, 0.05
_TEXT = ("text", "character varying", "character", "citext")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index that does not exist. `where` makes it partial; `method` is btree or gin."""

    table: str
    keys: tuple[Key, ...]
    where: str = ""
    method: str = "btree"

    @property
    def body(self) -> str:
        """What stands after the table's name in CREATE INDEX."""
        return f"USING {self.method} {self.keyed}"

    @property
    def keyed(self) -> str:
        """The keys and the condition, as every database writes them."""
        keys = ", ".join(str(key) for key in self.keys)
        return f"({keys})" + (f" WHERE {self.where}" if self.where else "")

    @property
    def sql(self) -> str:
        """A CREATE INDEX without a name, as hypopg takes it."""
        return f'CREATE INDEX ON "{self.table}" {self.body}'

    def is_prefix_of(self, other: "Candidate") -> bool:
        """Whether `other` serves whatever this one does, at more width."""
        return (self.table, self.where, self.method) == (other.table, other.where, other.method) and (
            other.keys[: len(self.keys)] == self.keys
        )


def candidates(uses: Iterable[Use], shapes: Sequence[dict[str, Any]], schema: Schema) -> list[Candidate]:
    """Without repetition, those with the fewest keys first."""
    found: dict[Candidate, None] = {}
    for use in uses:
        table = schema.tables.get(use.table)
        if table is not None:
            found.update(dict.fromkeys(_of_use(use, table, shapes, schema)))
    return sorted(found, key=lambda one: (len(one.keys), bool(one.where)))[:MOST_CANDIDATES]


def _of_use(use: Use, table: Table, shapes: Sequence[dict[str, Any]], schema: Schema) -> Iterator[Candidate]:
    yield from _gin(use, table, shapes, schema)
    plain = list(_trees(use, table, shapes, schema))
    yield from (Candidate(table.name, keys) for keys in plain)
    for condition in use.conditions:
        where = _partial(condition, table, shapes)
        if where:
            kept = list(_trees(_without(use, condition), table, shapes, schema)) or [
                (Key(f'"{condition.column}"', condition.column),)
            ]
            yield from (Candidate(table.name, keys, where) for keys in kept)


def _trees(use: Use, table: Table, shapes: Sequence[dict[str, Any]], schema: Schema) -> Iterator[tuple[Key, ...]]:
    equal = sorted(use.equal, key=lambda key: table.values(key.column), reverse=True)
    sets: list[tuple[Key, ...]] = [()]
    for size in (1, 2, 3):
        sets += combinations(equal[:3], size)
    tails: list[tuple[Key, ...]] = [(key,) for key in use.ranges]
    tails += [(key,) for key in _prefixes(use, table, shapes, schema)]
    if use.order:
        tails.append(tuple(use.order))
    joins = [(key,) for key in use.joins]
    for head in sets:
        yield from _whole([head, *(head + join for join in joins), *(head + tail for tail in tails)])
    for join in joins:
        yield from _whole([join, *(join + tail for tail in tails), *((*join, key) for key in equal)])
    yield from _whole([(key,) for key in use.alternatives])


def _whole(found: Iterable[tuple[Key, ...]]) -> Iterator[tuple[Key, ...]]:
    for keys in found:
        names = [key.sql for key in keys]
        if keys and len(keys) <= MOST_KEYS and len(names) == len(set(names)):
            yield keys


def _is_text(column: Column | None) -> bool:
    return column is None or column.type.startswith(_TEXT)


def _prefixes(use: Use, table: Table, shapes: Sequence[dict[str, Any]], schema: Schema) -> Iterator[Key]:
    for key in use.prefixes:
        form = _form(use, key, shapes, schema)
        if form and not form.startswith(("%", "_")) and form.endswith("%"):
            column = table.columns.get(key.column)
            varchar = column is not None and column.type.startswith("character varying")
            opclass = "varchar_pattern_ops" if varchar else "text_pattern_ops"
            yield key if schema.is_c_collation else replace(key, opclass=opclass)


def _form(use: Use, key: Key, shapes: Sequence[dict[str, Any]], schema: Schema) -> str:
    return like_form(shape_at(shapes, use.patterns[key.sql] - 1), schema) or ""


def _gin(use: Use, table: Table, shapes: Sequence[dict[str, Any]], schema: Schema) -> Iterator[Candidate]:
    for key in use.contains:
        column = table.columns.get(key.column)
        if column is None or column.type == "jsonb":
            yield Candidate(table.name, (replace(key, opclass="jsonb_path_ops"),), method="gin")
        elif column.type.endswith("[]"):
            yield Candidate(table.name, (key,), method="gin")
    if "pg_trgm" in schema.extensions:
        for key in use.prefixes:
            if _form(use, key, shapes, schema).startswith("%") and _is_text(table.columns.get(key.column)):
                yield Candidate(table.name, (replace(key, opclass="gin_trgm_ops"),), method="gin")


def _partial(condition: Condition, table: Table, shapes: Sequence[dict[str, Any]]) -> str:
    """The WHERE of a partial index, "" where the condition keeps too many rows or its value is not public."""
    column = table.columns.get(condition.column)
    if column is None:
        return ""
    if condition.kind in ("null", "not null"):
        share = column.null_share if condition.kind == "null" else 1 - column.null_share
        return condition.sql if share < _RARE else ""
    if condition.kind in ("true", "false"):
        common = column.share_of("t" if condition.kind == "true" else "f")
        return condition.sql if common is not None and common < _RARE else ""
    value = shape_at(shapes, int(condition.kind) - 1).get("value")
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    known = column.share_of({"true": "t", "false": "f"}.get(text, text))
    if known is None or known >= (_RARE if isinstance(value, bool) else _RARE_VALUE):
        return ""
    return condition.sql.replace(f"${condition.kind}", "'" + text.replace("'", "''") + "'")


def _without(use: Use, condition: Condition) -> Use:
    def kept(keys: list[Key]) -> list[Key]:
        return [key for key in keys if key.column != condition.column]

    return replace(use, equal=kept(use.equal), ranges=kept(use.ranges), order=kept(use.order))
