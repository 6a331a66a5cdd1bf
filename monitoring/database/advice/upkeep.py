"""Indexes that cost more than they give: copies, prefixes, unused, invalid and bloated ones. Nothing is dropped here.

What a key, a constraint or replication rests on is never named for removal. Of two equal ones, one stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, transaction

from monitoring.database.advice.schema import Index, Schema, Table

LEAST_DAYS = 30.0
# A smaller one costs nothing worth a migration; Django makes a few, one a foreign key.
LEAST_REDUNDANT_BYTES = 64 << 10
LEAST_UNUSED_BYTES = 1 << 20
LEAST_BLOATED_BYTES = 10 << 20
LEAST_DENSITY = 40.0
_DENSITY = "SELECT avg_leaf_density FROM pgstatindex(%s::regclass)"


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One index to look at. `kind` is redundant, unused, invalid or bloated; `sql` may be run outside a transaction."""

    kind: str
    index: str
    table: str
    reason: str
    sql: str
    bytes: int


def upkeep(cursor: Any, schema: Schema) -> list[Upkeep]:
    """What of the present indexes could go or wants repair."""
    found: list[Upkeep] = []
    for table in schema.tables.values():
        gone = {one.index: one for one in _redundant(table)}
        found += gone.values()
        found += [one for one in _unused(table, schema) if one.index not in gone]
        found += _invalid(table)
        if "pgstattuple" in schema.extensions:
            found += [one for one in _bloated(cursor, table) if one.index not in gone]
    return found


def _redundant(table: Table) -> Iterator[Upkeep]:
    gone: set[str] = set()
    # The widest first, and of equal ones the older: what is kept is settled before what could go.
    for index in sorted(table.indexes, key=lambda one: (len(one.keys), -one.oid)):
        if index.is_bound or not index.is_valid or index.method != "btree" or index.bytes < LEAST_REDUNDANT_BYTES:
            continue
        for other in table.indexes:
            if other is index or other.name in gone or not other.is_valid or other.method != "btree":
                continue
            if _covers(other, index):
                same = len(other.keys) == len(index.keys)
                reason = f"{'the same as' if same else 'the first keys of'} {other.name}"
                gone.add(index.name)
                yield Upkeep("redundant", index.name, table.name, reason, _drop(index), index.bytes)
                break


def _covers(wide: Index, narrow: Index) -> bool:
    """Whether `wide` finds and holds what `narrow` does: same rows, and its keys first, forwards or all backwards."""
    if wide.predicate != narrow.predicate or not set(narrow.included) <= {*wide.keys, *wide.included}:
        return False
    count = len(narrow.keys)
    return _oriented(wide, count) == _oriented(narrow, count) or _oriented(wide, count) == _oriented(
        narrow, count, backwards=True
    )


def _oriented(index: Index, count: int, *, backwards: bool = False) -> list[tuple[str, ...]]:
    # Option 1 is DESC, 2 is NULLS FIRST: read backwards, both turn round.
    return [
        (key, opclass, collation, str(int(option) ^ 3) if backwards else option)
        for key, opclass, collation, option in index.columns[:count]
    ]


def _unused(table: Table, schema: Schema) -> Iterator[Upkeep]:
    if schema.statistics_days is None or schema.statistics_days < LEAST_DAYS or schema.is_replica:
        return
    for index in table.indexes:
        if index.is_bound or index.scans or index.bytes <= LEAST_UNUSED_BYTES or not index.is_valid:
            continue
        # When it was made, no catalogue tells. One that was there touched a block for each row that was written.
        if not table.writes or index.touched < table.writes:
            continue
        if _holds_foreign_key(index, table):
            continue
        reason = f"not read once in {schema.statistics_days:.0f} days here; ask each replica too before it goes"
        yield Upkeep("unused", index.name, table.name, reason, _drop(index), index.bytes)


def _holds_foreign_key(index: Index, table: Table) -> bool:
    """Whether `index` is the only one that finds the children of a row that is deleted."""
    for foreign in table.foreign_keys:
        serving = [one for one in table.indexes if one.is_valid and leads_with(one, foreign.columns)]
        if serving == [index]:
            return True
    return False


def leads_with(index: Index, columns: tuple[str, ...]) -> bool:
    """Whether the first keys of `index` are `columns`, and it holds every row."""
    return not index.predicate and set(index.keys[: len(columns)]) == set(columns)


def _invalid(table: Table) -> Iterator[Upkeep]:
    for index in table.indexes:
        if not index.is_valid and not index.is_being_built:
            reason = "a build that failed left it: it is written to, and never read"
            sql = f'REINDEX INDEX CONCURRENTLY "{index.name}";'
            yield Upkeep("invalid", index.name, table.name, reason, sql, index.bytes)


def _bloated(cursor: Any, table: Table) -> Iterator[Upkeep]:
    for index in table.indexes:
        if index.method != "btree" or not index.is_valid or index.bytes < LEAST_BLOATED_BYTES:
            continue
        try:
            with transaction.atomic(using=cursor.db.alias):
                cursor.execute(_DENSITY, [f'"{index.name}"'])
                density = float(cursor.fetchone()[0])
        except DatabaseError:
            continue  # not for our role to look into
        if density < LEAST_DENSITY:
            reason = f"its pages are {density:.0f} % full"
            sql = f'REINDEX INDEX CONCURRENTLY "{index.name}";'
            yield Upkeep("bloated", index.name, table.name, reason, sql, index.bytes)


def _drop(index: Index) -> str:
    return f'DROP INDEX CONCURRENTLY IF EXISTS "{index.name}";'
