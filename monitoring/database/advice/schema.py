"""What the catalogue of a PostgreSQL database says of its tables, columns, indexes and foreign keys, read once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_TABLES = """
SELECT c.oid, c.relname, greatest(c.reltuples, 0), pg_relation_size(c.oid),
    coalesce(s.n_tup_ins + s.n_tup_upd - s.n_tup_hot_upd, 0)
FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = ANY (
    SELECT oid FROM pg_namespace WHERE nspname = ANY (current_schemas(false)))
"""
_COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod),
    coalesce(s.null_frac, 0), coalesce(s.n_distinct, 0), s.most_common_vals::text::text[], s.most_common_freqs::float[],
    s.histogram_bounds::text::text[]
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stats s
    ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
WHERE a.attrelid = ANY (%s) AND a.attnum > 0 AND NOT a.attisdropped
"""
# Of the row `i` of pg_index. Without pg_monitor we are told of another role's build that there is one, and not of what.
BEING_BUILT = """EXISTS (
    SELECT 1 FROM pg_stat_progress_create_index p
    WHERE p.index_relid = i.indexrelid
    OR (p.relid IS NULL AND p.datid = (SELECT oid FROM pg_database WHERE datname = current_database()))
)"""
_INDEXES = f"""
SELECT i.indrelid, c.relname, am.amname, i.indisunique, i.indisprimary, i.indisvalid,
    NOT i.indisvalid AND {BEING_BUILT},
    i.indisreplident OR i.indisclustered OR EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
        OR EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = i.indexrelid),
    ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n),
    ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(i.indnkeyatts + 1, i.indnatts) n),
    i.indclass::text, i.indcollation::text, i.indoption::text,
    coalesce(pg_get_expr(i.indpred, i.indrelid), ''), pg_relation_size(i.indexrelid),
    coalesce(s.idx_scan, 0), coalesce(b.idx_blks_hit + b.idx_blks_read, 0), i.indexrelid
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.indexrelid
LEFT JOIN pg_statio_all_indexes b ON b.indexrelid = i.indexrelid WHERE i.indrelid = ANY (%s)
"""  # noqa: S608
_FOREIGN_KEYS = """
SELECT k.conrelid, k.confrelid,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o)
FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = ANY (%s)
"""
_FACTS = """
SELECT ARRAY(SELECT extname::text FROM pg_extension), datcollate IN ('C', 'POSIX'),
    extract(epoch FROM now() - (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())) / 86400,
    pg_is_in_recovery() FROM pg_database WHERE datname = current_database()
"""

# How many different values are assumed where no statistics tell.
_UNKNOWN_VALUES = 200.0


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its statistics; `distinct` as PostgreSQL has it: negative is a share of the rows, 0 unknown."""

    name: str
    type: str
    null_share: float
    distinct: float
    common: tuple[str, ...]
    frequencies: tuple[float, ...]
    bounds: tuple[str, ...]

    def values(self, rows: float) -> float:
        """How many different values there are, at least 1."""
        return max(1.0, self.distinct if self.distinct > 0 else -self.distinct * rows or _UNKNOWN_VALUES)

    def share_of(self, value: str) -> float | None:
        """The share of rows with a common `value`, else None."""
        return dict(zip(self.common, self.frequencies, strict=False)).get(value)


@dataclass(frozen=True, slots=True)
class Index:
    """An index; `keys` are column names or expressions without their order, `included` columns that it holds besides.

    `is_held`: a constraint, replication, CLUSTER or the index of a partitioned table rests on it. `touched` is how
    often a block of it was asked for, to read or to write.
    """

    table: str
    name: str
    method: str
    is_unique: bool
    is_primary: bool
    is_valid: bool
    is_being_built: bool
    is_held: bool
    keys: tuple[str, ...]
    included: tuple[str, ...]
    classes: tuple[str, ...]
    collations: tuple[str, ...]
    options: tuple[str, ...]
    predicate: str
    bytes: int
    scans: int
    touched: int
    oid: int

    @property
    def is_bound(self) -> bool:
        """Whether something else than speed depends on it."""
        return self.is_primary or self.is_unique or self.is_held

    @property
    def columns(self) -> tuple[tuple[str, ...], ...]:
        """What each key is, apart from the direction of the whole."""
        return tuple(zip(self.keys, self.classes, self.collations, self.options, strict=False))


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of `table` that refer to a row of `referred`."""

    table: str
    columns: tuple[str, ...]
    referred: str


@dataclass(slots=True)
class Table:
    """A table with what lies on it. `writes` are the rows for which each of its indexes was written."""

    name: str
    rows: float
    bytes: int
    columns: dict[str, Column] = field(default_factory=dict)
    indexes: list[Index] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    writes: int = 0

    def values(self, column: str) -> float:
        """How many different values a column has; "" is an expression, of which nobody knows."""
        found = self.columns.get(column)
        return found.values(self.rows) if found else _UNKNOWN_VALUES


@dataclass(slots=True)
class Schema:
    """The tables by name, and facts of the database. `statistics_days` is None where they were never reset."""

    tables: dict[str, Table]
    extensions: frozenset[str]
    is_c_collation: bool
    statistics_days: float | None
    is_replica: bool

    def column(self, table: str, column: str) -> Column | None:
        """The column, or None."""
        found = self.tables.get(table)
        return found.columns.get(column) if found else None


def read_schema(cursor: Any) -> Schema:
    """The schemas of the search path. Raises django.db.DatabaseError."""
    cursor.execute(_FACTS)
    extensions, is_c, days, is_replica = cursor.fetchone()
    cursor.execute(_TABLES)
    by_oid = {oid: Table(name, rows, size, writes=writes) for oid, name, rows, size, writes in cursor.fetchall()}
    for oid, name, *about in _rows(cursor, _COLUMNS, by_oid):
        type_, nulls, distinct, common, frequencies, bounds = about
        by_oid[oid].columns[name] = Column(
            name, type_, nulls, distinct, tuple(common or ()), tuple(frequencies or ()), tuple(bounds or ())
        )
    for oid, name, method, *flags_and_more in _rows(cursor, _INDEXES, by_oid):
        unique, primary, valid, built, held, keys, included, classes, collations, options, *rest = flags_and_more
        vectors = (tuple(text.split()) for text in (classes, collations, options))
        table = by_oid[oid]
        table.indexes.append(
            Index(
                table.name, name, method, unique, primary, valid, built, held, tuple(_bare(key) for key in keys),
                tuple(_bare(key) for key in included), *vectors, *rest,  # type: ignore[arg-type]
            )
        )  # fmt: skip
    for oid, referred, columns in _rows(cursor, _FOREIGN_KEYS, by_oid):
        if referred in by_oid:
            table = by_oid[oid]
            table.foreign_keys.append(ForeignKey(table.name, tuple(columns), by_oid[referred].name))
    tables = {table.name: table for table in by_oid.values()}
    return Schema(tables, frozenset(extensions), is_c, None if days is None else float(days), is_replica)


def _rows(cursor: Any, sql: str, by_oid: dict[int, Table]) -> Iterable[Any]:
    cursor.execute(sql, [list(by_oid)])
    return list(cursor.fetchall())


def _bare(key: str) -> str:
    return re.sub(r'^"(\w+)"$', r"\1", key)
