"""Of the indexes that are there, advice names what could go or wants repair, and never what something rests on."""

from contextlib import suppress
from dataclasses import replace
from threading import Thread
from unittest import mock

import pytest
from django.db import connection
from django.utils import timezone

from monitoring.alerts.gauges import GAUGES
from monitoring.database import advice
from monitoring.database.advice import upkeep
from monitoring.database.advice.schema import read_schema
from tests.monitoring.database.shelves import ROWS, Shelves


@pytest.mark.real
class Upkeep(Shelves):
    """What is superfluous is named; what anything rests on never is."""

    def found(self) -> dict[str, str]:
        return {one.index: one.kind for one in advice().upkeep if one.table == "shelf"}

    def run_sql(self, *texts: str) -> None:
        with connection.cursor() as cursor:
            for text in texts:
                cursor.execute(text)

    def test_the_first_keys_of_another_are(self):
        self.assertEqual(self.found(), {"shelf_item": "redundant"})

    def test_of_two_copies_one_stays(self):
        self.run_sql("CREATE INDEX shelf_label ON shelf (label)", "CREATE INDEX shelf_label_2 ON shelf (label)")
        self.assertEqual(len({"shelf_label", "shelf_label_2"} & set(self.found())), 1)

    def test_a_unique_one_a_partial_one_and_one_for_patterns_are_not(self):
        self.run_sql(
            "CREATE INDEX shelf_moved_item ON shelf (moved, item)",  # the unique one is its first key
            "CREATE INDEX shelf_label ON shelf (label)",
            "CREATE INDEX shelf_label_like ON shelf (label varchar_pattern_ops)",
            "CREATE INDEX shelf_gone ON shelf (label) WHERE state = 'gone'",
        )
        self.assertEqual(set(self.found()), {"shelf_item"})

    def test_one_that_includes_more_is_not_and_one_that_includes_less_is(self):
        self.run_sql(
            "CREATE INDEX shelf_state_moved ON shelf (state, moved)",
            "CREATE INDEX shelf_state_label ON shelf (state) INCLUDE (label)",  # read alone, without the table
        )
        self.assertEqual(set(self.found()), {"shelf_item"})
        self.run_sql("CREATE INDEX shelf_state ON shelf (state)")
        self.assertEqual(set(self.found()), {"shelf_item", "shelf_state"})

    def test_one_that_the_table_is_clustered_by_is_not(self):
        self.run_sql("CLUSTER shelf USING shelf_item")
        self.assertEqual(self.found(), {})

    def test_backwards_is_the_same_and_one_key_backwards_is_not(self):
        self.run_sql(
            "CREATE INDEX shelf_state ON shelf (state, label)",
            "CREATE INDEX shelf_state_back ON shelf (state DESC, label DESC)",
            "CREATE INDEX shelf_state_half ON shelf (state, label DESC)",
        )
        found = set(self.found()) - {"shelf_item"}
        self.assertEqual(len(found & {"shelf_state", "shelf_state_back"}), 1)
        self.assertNotIn("shelf_state_half", found)

    def test_an_invalid_one_is_and_covers_nothing(self):
        with suppress(Exception):
            self.run_sql("CREATE UNIQUE INDEX CONCURRENTLY shelf_twice ON shelf (state)")
        self.run_sql("CREATE INDEX shelf_state ON shelf (state)")
        self.assertEqual(self.found(), {"shelf_item": "redundant", "shelf_twice": "invalid"})

    def test_one_that_another_role_builds_now_is_not_and_is_no_alert(self):
        with self.as_superuser() as writer, self.as_superuser() as builder:
            writer.execute("BEGIN; UPDATE shelf SET moved = moved WHERE id = 1")  # which the build waits for
            build = Thread(
                target=builder.execute, args=["CREATE INDEX CONCURRENTLY shelf_label ON shelf (label)"], daemon=True
            )
            build.start()
            there = "SELECT pg_sleep(0.01), to_regclass('shelf_label')"
            while writer.execute(there).fetchone()[1] is None:
                pass
            found, counted = self.found(), GAUGES["db_invalid_indexes"](timezone.now())
            writer.execute("ROLLBACK")
            build.join(30)
        self.assertEqual((found, counted), ({"shelf_item": "redundant"}, 0))

    def test_an_unused_one_is_named_only_after_thirty_days(self):
        self.run_sql("CREATE INDEX shelf_never ON shelf (state, label, moved)")
        with connection.cursor() as cursor, mock.patch.object(upkeep, "LEAST_UNUSED_BYTES", 1):
            schema = read_schema(cursor)
            shelf = schema.tables["shelf"]
            self.was_there(shelf)
            for days, is_named in ((None, False), (29.9, False), (30.0, True)):
                schema.statistics_days = days
                self.assertEqual("shelf_never" in self.unused(cursor, schema), is_named, days)
            shelf.indexes = [replace(index, scans=1) for index in shelf.indexes]
            self.assertEqual(self.unused(cursor, schema), set())

    def test_an_unused_one_that_was_made_since_is_not_named(self):
        self.run_sql("CREATE INDEX shelf_never ON shelf (state, label, moved)")
        with connection.cursor() as cursor, mock.patch.object(upkeep, "LEAST_UNUSED_BYTES", 1):
            schema = read_schema(cursor)
            schema.statistics_days = 40.0
            shelf = schema.tables["shelf"]
            self.assertNotIn("shelf_never", self.unused(cursor, schema))
            self.was_there(shelf)
            self.assertIn("shelf_never", self.unused(cursor, schema))

    @staticmethod
    def was_there(table) -> None:
        """As if every index had been there for all that was written."""
        table.writes = ROWS
        table.indexes = [replace(index, touched=ROWS) for index in table.indexes]

    def unused(self, cursor, schema) -> set[str]:
        found = upkeep.upkeep(cursor, schema)
        return {one.index for one in found if (one.kind, one.table) == ("unused", "shelf")}

    def test_the_age_of_the_statistics_is_read(self):
        note = "nobody knows since when use is counted"
        self.assertTrue(any(one.startswith(note) for one in advice().notes))
        with self.as_superuser() as superuser:
            superuser.execute("SELECT pg_stat_reset()")
        with connection.cursor() as cursor:
            self.assertLess(read_schema(cursor).statistics_days, 1)
        self.assertFalse(any(one.startswith(note) for one in advice().notes))
