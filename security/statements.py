"""SQL statements that the ORM compiles once in each process, for the few that nearly every request runs.

Building a query and its SQL anew costs Django two to four times what running it costs. Here the ORM builds it on
first use from a queryset in which a Parameter stands wherever a value will; each later run only binds values. The
statement follows the models, the converters and the database, as hand-written SQL would not. `get_compiler`,
`UpdateQuery` and `InsertQuery` are not documented API: they are used here only, and tests compare what these
statements do with what the ORM does, on both databases.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from operator import attrgetter
from types import NoneType
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.expressions import RawSQL
from django.db.models.sql import InsertQuery, UpdateQuery

Row = tuple[Any, ...]
_BINARY = 1  # PostgreSQL's format code, and psycopg's; importing psycopg for its name would slow SQLite's start
# What such a field hands to the driver unchanged, after 2 µs of questions; an event and its address are twenty values.
# But an id to PostgreSQL's alone: SQLite's knows none, and is handed its digits.
_UNCHANGED: Mapping[type, Set[type]] = {
    models.BinaryField: {bytes, NoneType},
    models.CharField: {str, NoneType},
    models.TextField: {str, NoneType},
    models.UUIDField: {UUID, NoneType},
    models.BigIntegerField: {NoneType},
}


@contextmanager
def planned_for_its_values() -> Iterator[None]:
    """Have PostgreSQL plan each statement for the values that it has, as long as this lasts; costs no round trip.

    A connection of ours prepares what it runs often, and PostgreSQL then plans it once for all values. For the hot
    statements that is the point; a search for what is rare would be planned as one for what is frequent, and go through
    the whole table: `ORDER BY id DESC LIMIT 51` looks cheap until nothing matches.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    raw = connection.connection
    threshold, raw.prepare_threshold = raw.prepare_threshold, None
    try:
        yield
    finally:
        raw.prepare_threshold = threshold


def binary_cursor() -> Any:
    """A cursor that PostgreSQL sends times, ids and bytes as they are: spares both sides printing and parsing them.

    SQLite is sent a text that it had before without translating it again. The caller closes it, by `with`.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    cursor = connection.cursor()
    if connection.vendor == "postgresql":
        cursor.cursor.format = _BINARY
    else:
        cursor.cursor.convert_query = partial(_translated, type(cursor.cursor).convert_query)
    return cursor


@lru_cache(maxsize=256)
def _translated(translate: Callable[..., str], sql: str, *, param_names: None) -> str:
    """`sql` with SQLite's own placeholders, as `translate` of Django's cursor makes it.

    That looks for ours by a regular expression, of which an event's INSERT would take nearly as long as of itself.
    """
    return translate(None, sql, param_names=param_names)


class Parameter(models.Expression):
    """The place of the value called `name`, which is turned into the database's form as `field` does it."""

    def __init__(self, name: str, field: "models.Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name
        self._prepare = field.get_db_prep_save
        self._unchanged = _UNCHANGED.get(type(field), frozenset())

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def bound(self, value: Any, connection: Any) -> Any:
        """`value` in the form of the database of `connection`."""
        if type(value) not in self._unchanged:
            return self._prepare(value, connection)
        return value.hex if type(value) is UUID and connection.vendor != "postgresql" else value


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What the compiler made. Not the compiler: it holds the connection of the thread that first came by."""

    sql: str
    params: tuple[Any, ...]  # Parameters, and constants in the database's form
    convert: Callable[[Row, Any], Row]


class _Statement:
    """Compiled on first use in each process. Threads that meet there compile the same thing twice."""

    def __init__(self, compile_: Callable[[], _Compiled]) -> None:
        self._compile = compile_
        self._compiled: _Compiled | None = None

    def compiled(self) -> _Compiled:
        """This statement for our database."""
        if self._compiled is None:
            self._compiled = self._compile()
        return self._compiled

    def _execute(self, cursor: Any, values: Mapping[str, Any]) -> _Compiled:
        """Run the statement with `values`. Raises KeyError where one is missing."""
        connection = cursor.db  # not of `connections`: a look-up there costs as much as binding eight values
        compiled = self.compiled()
        params = [
            param.bound(values[param.name], connection) if isinstance(param, Parameter) else param
            for param in compiled.params
        ]
        cursor.execute(compiled.sql, params)
        return compiled


class Select(_Statement):
    """Reads rows of a `values_list` queryset; `queryset` is called once, in each process."""

    def __init__(self, queryset: Callable[[], "models.QuerySet[Any, Any]"]) -> None:
        super().__init__(lambda: _compile(queryset().query))

    def first(self, **values: Any) -> Row | None:
        """The first row, in Python's types, or None. Raises django.db.DatabaseError as the ORM does."""
        with binary_cursor() as cursor:
            compiled = self._execute(cursor, values)
            row = cursor.fetchone()
            return compiled.convert(row, cursor.db) if row else None

    def all(self, **values: Any) -> list[Row]:
        """All rows, in Python's types. Raises django.db.DatabaseError as the ORM does."""
        with binary_cursor() as cursor:
            compiled = self._execute(cursor, values)
            return [compiled.convert(row, cursor.db) for row in cursor.fetchall()]


class Update(_Statement):
    """What `queryset().update(**assignments)` does, in one statement without a join."""

    def __init__(self, queryset: Callable[[], "models.QuerySet[Any, Any]"], **assignments: Any) -> None:
        def compile_() -> _Compiled:
            query: Any = queryset().query.chain(UpdateQuery)
            query.add_update_values(assignments)
            return _compile(query)

        super().__init__(compile_)

    def run(self, **values: Any) -> int:
        """How many rows it changed. Raises django.db.DatabaseError as the ORM does."""
        with binary_cursor() as cursor:
            self._execute(cursor, values)
            return int(cursor.rowcount)


class UpdateAndRead(_Statement):
    """Runs an Update, and a Select of what it found: in one round trip where UPDATEs nest."""

    _READ = "SELECT found.*, (SELECT count(*) FROM changed) FROM"

    def __init__(self, update: Update, select: Select) -> None:
        self._update, self._select = update, select
        super().__init__(self._joined)

    def _joined(self) -> _Compiled:
        first, second = self._update.compiled(), self._select.compiled()
        sql = f"WITH changed AS ({first.sql} RETURNING 1) {self._READ} ({second.sql}) AS found"
        return replace(second, sql=sql, params=first.params + second.params)

    def run(self, **values: Any) -> tuple[int, Row | None]:
        """How many rows it changed, and the first row as it was before that. Raises as the two do.

        PostgreSQL reads what was committed when the statement began. Where the Update waited for somebody else and
        then changed nothing, what they did shows only in another read.
        """
        if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":  # no flag of Django's; SQLite nests no UPDATE
            row = self._select.first(**values)
            return self._update.run(**values), row
        with binary_cursor() as cursor:
            compiled = self._execute(cursor, values)
            answer = cursor.fetchone()
            return (answer[-1], compiled.convert(answer[:-1], cursor.db)) if answer else (0, None)


class Insert(_Statement):
    """Inserts a row whose primary key the database gives. Knows no signals, no `auto_now`, no parent models."""

    def __init__(self, model: type[models.Model], **filled: models.Expression) -> None:
        """`filled` are fields that the database fills in by an expression, whatever the row has there."""
        self.model = model
        self._filled = filled
        # By a name that no other model's field has: a pair of rows shares one set of values.
        self._fields: dict[str, Any] = {
            str(field): field for field in model._meta.concrete_fields if not field.primary_key
        }
        self._read = attrgetter(*(field.attname for field in self._fields.values()))
        super().__init__(self.returning)

    def returning(self, *more: Any, **instead: models.Expression) -> _Compiled:
        """Compiled so that it answers with the key and the fields `more`; `instead` of values, expressions.

        SQLite's driver knows the key anyway, and an answer would cost a table of its own.
        """
        places = {field.attname: Parameter(name, field) for name, field in self._fields.items()}
        query = InsertQuery(self.model)
        query.insert_values(list(self._fields.values()), [self.model(**places | self._filled | instead)], raw=True)
        answers = connections[DEFAULT_DB_ALIAS].vendor == "postgresql"
        return _compile(query, returning_fields=[self.model._meta.pk, *more] if answers else None)

    def values(self, row: models.Model) -> dict[str, Any]:
        """What `row` gives the statement."""
        return dict(zip(self._fields, self._read(row), strict=True))

    def run(self, row: models.Model) -> None:
        """Insert `row` as it stands, and give it its key. Raises django.db.DatabaseError as `save()` does."""
        with binary_cursor() as cursor:
            self.insert(row, cursor)

    def insert(self, row: models.Model, cursor: Any) -> None:
        """What `run` does, by a cursor of the caller's."""
        self._execute(cursor, self.values(row))
        key = cursor.fetchone()[0] if cursor.db.vendor == "postgresql" else cursor.lastrowid
        _stored(row, key)


class InsertPair(_Statement):
    """Inserts a row and one that refers to it by its foreign key `link`: in one round trip where INSERTs nest."""

    def __init__(self, row: Insert, referring: Insert, *, link: str) -> None:
        self._row, self._referring, self._link = row, referring, link
        super().__init__(self._joined)

    def _joined(self) -> _Compiled:
        link: Any = self._referring.model._meta.get_field(self._link)
        key = RawSQL("SELECT * FROM referred", (), output_field=link)  # the first INSERT answers with its key alone
        first, second = self._row.compiled(), self._referring.returning(link, **{link.attname: key})
        return replace(second, sql=f"WITH referred AS ({first.sql}) {second.sql}", params=first.params + second.params)

    def run(self, row: models.Model, referring: models.Model) -> None:
        """Insert both as they stand, `referring` to `row`, and give them their keys. Raises as Insert.run() does."""
        with binary_cursor() as cursor:
            if cursor.db.vendor != "postgresql":  # no flag of Django's; SQLite nests no INSERT
                self._row.insert(row, cursor)
                setattr(referring, self._link, row)
                self._referring.insert(referring, cursor)
                return
            self._execute(cursor, self._row.values(row) | self._referring.values(referring))
            own, key = cursor.fetchone()
        _stored(row, key)
        setattr(referring, self._link, row)
        _stored(referring, own)


def _stored(row: models.Model, key: Any) -> None:
    row.pk = key
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _compile(query: Any, *, returning_fields: list[Any] | None = None) -> _Compiled:
    compiler = query.get_compiler(DEFAULT_DB_ALIAS)
    if returning_fields is not None:
        compiler.returning_fields = returning_fields
    made = compiler.as_sql()
    [(sql, params)] = made if isinstance(made, list) else [made]  # an INSERT may be several
    # Converters of a SELECT only: the key an INSERT returns is the integer that the driver hands out.
    columns = getattr(compiler, "select", None) or ()
    converters = compiler.get_converters([expression for expression, *_ in columns])
    pairs = [(position, functions, expression) for position, (functions, expression) in converters.items()]

    def convert(row: Row, connection: Any) -> Row:
        if not pairs:
            return row
        values = list(row)
        for position, functions, expression in pairs:
            for function in functions:
                values[position] = function(values[position], expression, connection)
        return tuple(values)

    return _Compiled(sql=sql, params=tuple(params), convert=convert)
