"""Advice on a file of SQLite's, small or large: it ends in time, says what it could not do, and leaves no copy."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import SimpleNamespace
from unittest import TestCase, mock

import pytest
from django.db import DatabaseError

from monitoring.database.advice.sqlite import advise
from monitoring.database.advice.sqlite_copy import Meter, opened, whole
from monitoring.database.advice.workload import Observed, Workload

pytestmark = pytest.mark.embedded

_MODULE = "monitoring.database.advice.sqlite"
_ASKED = {
    "needle": 'SELECT "shelf"."id" FROM "shelf" WHERE "shelf"."label" = $1',
    "few": 'SELECT "shelf"."id" FROM "shelf" ORDER BY "shelf"."moved" LIMIT $1',
    "half": 'SELECT "shelf"."label" FROM "shelf" WHERE "shelf"."state" = $1',
    "key": 'SELECT "shelf"."label" FROM "shelf" WHERE "shelf"."id" = $1',
}


class Files(TestCase):
    """A database in WAL mode, as ours is, with a CHECK that calls a function of Django's."""

    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "shop.sqlite3"
        with closing(sqlite3.connect(self.path, isolation_level=None)) as made:
            made.create_function("django_format_dtdelta", 3, lambda *_: 1)
            made.execute("PRAGMA journal_mode=WAL")
            made.execute(
                "CREATE TABLE shelf (id integer PRIMARY KEY, label text, state text, moved integer,"
                " CHECK (coalesce(django_format_dtdelta('+', id, 1), 1) IS NOT NULL))"
            )
            rows = [(n, f"l{n}", f"s{n % 2}", n * 7919 % 5003) for n in range(5000)]
            made.execute("BEGIN")
            made.executemany("INSERT INTO shelf VALUES (?, ?, ?, ?)", rows)
            made.execute("COMMIT")
            made.execute("ANALYZE")
        statements = tuple(Observed(name, text, "select", 50, 500.0, 1) for name, text in _ASKED.items())
        self.workload = Workload("recorded by KoshFlow", statements)

    def advised(self) -> tuple[dict[tuple[str, ...], str], list[str]]:
        found, notes = advise(SimpleNamespace(settings_dict={"NAME": self.path}), self.workload)
        return {one.keys: one.confidence for one in found}, notes

    def tearDown(self):
        self.assertEqual({one.name for one in self.path.parent.glob("advice-*")}, set())


class Large(Files):
    """One that is not copied is judged by the plans of an empty copy."""

    def test_what_would_be_searched_for_or_come_sorted_is_advised_by_rule(self):
        with mock.patch(f"{_MODULE}.MOST_BYTES", 0):
            found, [note] = self.advised()
        self.assertEqual(found, {('"label"',): "rule", ('"moved"',): "rule"})
        self.assertIn("judged by plans alone", note)

    def test_so_is_a_table_whose_rows_have_no_number(self):
        with closing(sqlite3.connect(self.path)) as made:
            made.executescript(
                "CREATE TABLE laid (id integer PRIMARY KEY, label text, state text, moved integer) WITHOUT ROWID;"
                "INSERT INTO laid SELECT * FROM shelf; DROP TABLE shelf; ALTER TABLE laid RENAME TO shelf; ANALYZE"
            )
        with mock.patch(f"{_MODULE}.MOST_BYTES", 0):
            self.assertEqual(set(self.advised()[0]), {('"label"',), ('"moved"',)})

    def test_one_that_is_the_beginning_of_another_goes_up_in_it(self):
        texts = (
            'SELECT "shelf"."state" FROM "shelf" WHERE "shelf"."moved" = $1',
            'SELECT "shelf"."state" FROM "shelf" WHERE "shelf"."moved" = $1 ORDER BY "shelf"."label" LIMIT $2',
        )
        asked = (Observed(str(n), text, "select", 50, 500.0 - n, 1) for n, text in enumerate(texts))
        self.workload = Workload("recorded by KoshFlow", tuple(asked))
        with mock.patch(f"{_MODULE}.MOST_BYTES", 0):
            self.assertEqual(list(self.advised()[0]), [('"moved"', '"label"')])

    def test_so_it_is_where_the_disk_is_full(self):
        with mock.patch(f"{_MODULE}.has_room", return_value=False):
            self.assertEqual(set(self.advised()[0].values()), {"rule"})

    def test_a_small_one_is_tried(self):
        self.assertEqual(self.advised(), ({('"label"',): "costed", ('"moved"',): "costed"}, []))


class Ended(Files):
    """Neither time nor a kill leaves anything behind."""

    def test_when_the_time_is_up_it_says_so(self):
        for most in (1 << 30, 0):
            with mock.patch(f"{_MODULE}.MOST_SECONDS", 0.0), mock.patch(f"{_MODULE}.MOST_BYTES", most):
                found, notes = self.advised()
                self.assertEqual((found, notes[-1]), ({}, "not all was tried: 0 seconds were over"))

    def test_what_a_killed_run_left_goes(self):
        left = [self.path.parent / name for name in ("advice-left", "advice-left-journal")]
        for one in left:
            one.write_bytes(b"all data")
        self.advised()
        self.assertEqual([one.exists() for one in left], [False, False])

    def test_one_that_begins_while_another_writes_takes_nothing_of_it(self):
        begun = []

        class Interrupted(Meter):
            def __call__(meter):  # noqa: N805
                if not begun and next(self.path.parent.glob("advice-*-journal"), None):
                    begun.append(self.copied(Meter(perf_counter() + 60)))
                return False

        self.assertEqual((self.copied(Interrupted(0)), begun), (1, [1]))

    def copied(self, meter: Meter) -> int:
        with opened(self.path, meter) as source, whole(source, self.path, meter) as copy:
            return int(copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'shelf'").fetchone()[0])

    def test_a_file_that_is_no_database_is_refused(self):
        self.path.write_bytes(b"none" * 2000)
        with self.assertRaises(DatabaseError):
            self.advised()
