"""Copies of an SQLite database to try indexes on: the whole of it, or of a large one the schema and the statistics.

A whole copy lies beside the database, mode 0600, and has no name left once it is open. A process that is killed while
it writes leaves `advice-…` and perhaps `advice-…-journal` there: the next run that writes alone takes them away. Who
writes holds the folder's lock, which goes with its holder.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from shutil import disk_usage
from time import perf_counter

from django.db.backends.sqlite3._functions import register  # type: ignore[import-untyped]

from monitoring.database.advice.schema import Column, Schema, Table

_PREFIX = "advice-"
TICK = 500  # steps of SQLite's machine from one look at the clock to the next
_PARTS = """
SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND type IN ('table', 'index')
ORDER BY type DESC
"""
_SAMPLE = 5000


class Meter:
    """Ends a statement of SQLite's at `ends_at` (perf_counter) or after `most` ticks; counts them."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.ticks, self.most = 0, float("inf")

    def __call__(self) -> bool:
        self.ticks += 1
        return self.ticks > self.most or perf_counter() > self.ends_at

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return perf_counter() > self.ends_at


def _connected(name: str, meter: Meter) -> sqlite3.Connection:
    """With Django's own functions, which a schema and its statements may call."""
    made = sqlite3.connect(name, uri=True, isolation_level=None)
    register(made)
    made.set_progress_handler(meter, TICK)
    return made


@contextmanager
def opened(path: Path, meter: Meter) -> Iterator[sqlite3.Connection]:
    """The database itself, to read from."""
    with closing(_connected(f"{path.resolve().as_uri()}?mode=ro", meter)) as source:
        yield source


@contextmanager
def whole(source: sqlite3.Connection, path: Path, meter: Meter) -> Iterator[sqlite3.Connection]:
    """A copy with all rows, analysed. Raises sqlite3.Error, also when the time is up; OSError."""
    with _written_in(path.parent):
        file, name = tempfile.mkstemp(dir=path.parent, prefix=_PREFIX)
        os.close(file)
        try:
            # Not the backup API: its copy of a database in WAL mode is one too, and has files of its own beside it.
            source.execute("VACUUM INTO ?", [name])
            copy = _connected(name, meter)
            copy.execute("PRAGMA journal_mode=OFF")  # opens it
        finally:
            Path(name).unlink()
    with closing(copy):
        copy.execute("ANALYZE")
        yield copy


@contextmanager
def _written_in(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, shared; whoever has it alone before takes away what lies there."""
    held = os.open(folder, os.O_RDONLY)
    try:
        with suppress(BlockingIOError):  # another run writes, and SQLite a journal beside its copy
            flock(held, LOCK_EX | LOCK_NB)
            for left in folder.glob(f"{_PREFIX}*"):
                left.unlink()
        flock(held, LOCK_SH)
        yield
    finally:
        os.close(held)


def has_room(path: Path, size: int) -> bool:
    """Whether the disk takes a copy and still has as much left."""
    return disk_usage(path.parent).free > 2 * size


@contextmanager
def bare(source: sqlite3.Connection, meter: Meter) -> Iterator[sqlite3.Connection]:
    """The schema in memory, without a row, and what is known of each table's size and of its indexes."""
    with closing(_connected(":memory:", meter)) as copy:
        for (sql,) in source.execute(_PARTS).fetchall():
            with suppress(sqlite3.Error):  # a virtual table whose module is not there
                copy.execute(sql)
        copy.execute("ANALYZE")
        if has_statistics(source):
            known = source.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()
            copy.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", known)
        yield copy


def read(source: sqlite3.Connection, *, is_counted: bool) -> Schema:
    """Tables and columns with what a sample says of them. Rows are counted, or taken from the last rowid or from the
    statistics.
    """
    tables = {}
    names = source.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in names.fetchall():
        tables[name] = Table(name, _rows(source, name, is_counted=is_counted), 0)
        columns = f'PRAGMA table_info("{name}")'
        for _, column, kind, *_ in source.execute(columns).fetchall():
            sample = f'SELECT "{column}" AS c FROM "{name}" LIMIT {_SAMPLE}'  # noqa: S608  # nosec B608
            told = f"SELECT count(*), count(DISTINCT c), avg(c IS NULL) FROM ({sample})"  # noqa: S608  # nosec B608
            seen, distinct, nulls = source.execute(told).fetchone()
            # Where a tenth of the sample differs, the others differ likewise; else the sample has met them all.
            share = -distinct / seen if seen and distinct * 10 > seen else float(distinct or 1)
            tables[name].columns[column] = Column(column, kind, nulls or 0.0, share, (), (), ())
    return Schema(tables, frozenset(), is_c_collation=True, statistics_days=None, is_replica=False)


def _rows(source: sqlite3.Connection, name: str, *, is_counted: bool) -> float:
    count = f'SELECT {"count(*)" if is_counted else "max(rowid)"} FROM "{name}"'  # noqa: S608  # nosec B608
    try:
        return float(source.execute(count).fetchone()[0] or 0)
    except sqlite3.OperationalError:  # a table without a rowid, or a virtual one
        # "ROWS ROWS_OF_ONE_KEY …", of which a number is read up to the first blank.
        known = "SELECT max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = ?"
        return float(source.execute(known, [name]).fetchone()[0] or 0) if has_statistics(source) else 0.0


def has_statistics(source: sqlite3.Connection) -> bool:
    """Whether ANALYZE was ever run."""
    return bool(source.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone()[0])
