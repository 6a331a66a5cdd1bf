"""Advice names the index that is missing and the one that is superfluous, proves what it can, and changes nothing."""

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import TestCase, mock

import psycopg
import pytest
from django.core.management import CommandError
from django.db import connection
from django.db.models import F
from django.test import TransactionTestCase

from accounts.identity.models import User
from monitoring.database import advice, flush
from monitoring.database.advice import upkeep
from monitoring.database.advice.candidates import Candidate
from monitoring.database.advice.schema import read_schema
from monitoring.database.advice.syntax import Key, uses
from monitoring.database.advice.wording import create_sql, meta_line, migration_line
from monitoring.database.models import RecordedStatement
from monitoring.database.recorder import recorders
from tests.commands import output_of

MARKER = "zx9marker"
_SCHEMA = [
    "CREATE TABLE shelf (id integer PRIMARY KEY, item integer, label varchar(40), state varchar(10), moved integer)",
    "CREATE INDEX shelf_item ON shelf (item)",
    "CREATE INDEX shelf_item_moved ON shelf (item, moved)",
    "CREATE UNIQUE INDEX shelf_moved ON shelf (moved)",
]
_ASKED = [
    ("SELECT id FROM shelf WHERE label = %s", [f"{MARKER}7"]),
    ("SELECT id FROM shelf WHERE item = %s ORDER BY moved LIMIT 10", [7]),
    ("SELECT count(*) FROM shelf WHERE state = %s", ["there"]),
]
ROWS = 20_000


class Shelves(TransactionTestCase):
    """A table of twenty thousand rows, on which three statements ran: one without an index, one with, one in vain."""

    def setUp(self):
        with connection.cursor() as cursor:
            for text in _SCHEMA:
                cursor.execute(text)
            rows = [(n, n % 2000, f"{MARKER}{n}", "gone" if n % 100 == 0 else "there", n) for n in range(ROWS)]
            cursor.executemany("INSERT INTO shelf VALUES (%s, %s, %s, %s, %s)", rows)
            cursor.execute("ANALYZE")
            self.addCleanup(self.drop)
            for recorder in recorders():
                recorder.forget()
            for sql, params in _ASKED * 6:
                cursor.execute(sql, params)
        flush()
        # What they took here says nothing; as if each had taken 20 ms.
        RecordedStatement.objects.update(total_ms=F("calls") * 20)
        RecordedStatement.objects.exclude(text__contains="shelf").delete()
        RecordedStatement.objects.filter(operation="insert").delete()

    def as_superuser(self) -> Any:
        url = os.environ.get("TEST_DATABASE_SUPERUSER_URL", "")
        if not url:
            self.skipTest("no superuser")
        return psycopg.connect(f"{url.rpartition('/')[0]}/{connection.settings_dict['NAME']}", autocommit=True)

    def drop(self):
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE shelf")


class Advised(Shelves):
    """The same on both databases, and without any extension."""

    def test_the_missing_index_is_named_and_no_other(self):
        [index] = advice().indexes
        self.assertEqual((index.table, index.keys, index.where), ("shelf", ('"label"',), ""))
        self.assertEqual(index.serves[0].calls, 6)
        self.assertGreater(index.saves_ms, 0)

    def test_with_it_there_is_nothing_to_say(self):
        with connection.cursor() as cursor:
            cursor.execute(advice().indexes[0].sql.replace(" CONCURRENTLY", ""))
            cursor.execute("ANALYZE")
        self.assertEqual(advice().indexes, ())

    def test_nothing_is_changed(self):
        before = self.names()
        advice()
        self.assertEqual(self.names(), before)

    def test_a_copy_leaves_no_file(self):
        if connection.vendor == "sqlite":
            folder = Path(connection.settings_dict["NAME"]).parent
            before = set(folder.glob("advice-*"))
            advice()
            self.assertEqual(set(folder.glob("advice-*")), before)

    def names(self) -> set[str]:
        with connection.cursor() as cursor:
            return set(connection.introspection.get_constraints(cursor, "shelf"))

    def test_rare_statements_and_our_own_are_left_out(self):
        RecordedStatement.objects.update(calls=4)
        self.assertEqual(advice().indexes, ())
        RecordedStatement.objects.update(
            calls=6, text="SELECT id FROM shelf WHERE label = (SELECT text FROM monitoring_x)"
        )
        self.assertEqual(advice().indexes, ())

    def test_no_value_of_the_tables_is_in_it(self):
        self.assertNotIn(MARKER, self.run_command("--json"))
        self.assertNotIn(MARKER, self.run_command())

    def run_command(self, *arguments: str) -> str:
        return output_of("db_advise", *arguments)

    def test_the_command_says_what_to_run(self):
        told = self.run_command()
        self.assertRegex(told, r'CREATE INDEX (CONCURRENTLY )?IF NOT EXISTS "shelf_label_\w+_idx" ON "shelf"')
        self.assertRegex(told, r"\n1 to make, \d+ to look at, 0 repeated statements\. Nothing was changed\.\n$")

    def test_the_command_as_json(self):
        told = json.loads(self.run_command("--json"))
        self.assertEqual([index["table"] for index in told["indexes"]], ["shelf"])
        self.assertEqual(told["vendor"], connection.vendor)

    def test_the_command_of_no_database(self):
        with self.assertRaisesMessage(CommandError, "there is no database elsewhere"):
            self.run_command("--alias", "elsewhere")

    def test_repeated_statements_are_in_it(self):
        RecordedStatement.objects.filter(text__contains="label").update(repeats=3, route="/x", call_site="a.py:1 f")
        self.assertIn("repeated: 3 requests ran", self.run_command())
        self.assertIn("/x from a.py:1 f", self.run_command())


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

    def test_an_unused_one_is_named_only_after_thirty_days(self):
        self.run_sql("CREATE INDEX shelf_never ON shelf (state, label, moved)")
        with connection.cursor() as cursor, mock.patch.object(upkeep, "LEAST_UNUSED_BYTES", 1):
            schema = read_schema(cursor)
            for days, is_named in ((None, False), (29.9, False), (30.0, True)):
                schema.statistics_days = days
                self.assertEqual("shelf_never" in self.unused(cursor, schema), is_named, days)
            shelf = schema.tables["shelf"]
            shelf.indexes = [replace(index, scans=1) for index in shelf.indexes]
            self.assertEqual(self.unused(cursor, schema), set())

    def unused(self, cursor, schema) -> set[str]:
        found = upkeep.upkeep(cursor, schema)
        return {one.index for one in found if (one.kind, one.table) == ("unused", "shelf")}

    def test_the_age_of_the_statistics_is_read(self):
        with self.as_superuser() as superuser:
            superuser.execute("SELECT pg_stat_reset()")
        with connection.cursor() as cursor:
            self.assertLess(read_schema(cursor).statistics_days, 1)


@pytest.mark.real
@pytest.mark.debian_postgres
class Costed(Shelves):
    """With hypopg the planner itself says what an index would save."""

    def setUp(self):
        with self.as_superuser() as superuser:
            superuser.execute("CREATE EXTENSION IF NOT EXISTS hypopg")
        super().setUp()
        self.addCleanup(self.uninstall)

    def uninstall(self) -> None:
        with self.as_superuser() as superuser:
            superuser.execute("DROP EXTENSION hypopg")

    def test_before_and_after(self):
        [index] = advice().indexes
        self.assertEqual((index.confidence, index.keys), ("costed", ('"label"',)))
        self.assertLess(index.serves[0].cost_after, index.serves[0].cost_before / 10)
        self.assertGreater(index.size_bytes, 8192)

    def test_no_hypothetical_index_stays(self):
        advice()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM hypopg()")
            self.assertEqual(cursor.fetchone()[0], 0)


@pytest.mark.embedded
class Reading(TestCase):
    """What a statement asks of its tables, from its text alone."""

    def test_all_of_it(self):
        [invoice, customer] = uses(
            'SELECT "i"."id" FROM "invoice" "i" INNER JOIN "customer" T3 ON ("i"."customer_id" = T3."id") WHERE '
            '(UPPER(T3."email"::text) = UPPER($1) AND NOT "i"."paid" AND "i"."closed" IS NULL AND "i"."day" >= $2 AND '
            '"i"."state" = $3) ORDER BY "i"."at" DESC NULLS LAST, "i"."id" ASC LIMIT $4'
        )
        self.assertEqual([key.sql for key in customer.equal], ['UPPER(CAST("email" AS TEXT))'])
        self.assertEqual([key.column for key in customer.joins + invoice.joins], ["id", "customer_id"])
        self.assertEqual([str(key) for key in invoice.order], ['"at" DESC NULLS LAST', '"id"'])
        self.assertEqual([key.column for key in invoice.ranges + invoice.equal], ["day", "state"])
        self.assertEqual([one.sql for one in invoice.conditions], ['NOT "paid"', '"closed" IS NULL', '"state" = $3'])

    def test_what_cannot_be_read_is_said(self):
        with self.assertRaises(ValueError):
            uses("SELECT FROM WHERE ((")


@pytest.mark.embedded
class Wording(TestCase):
    """An index in SQL and in Django's words."""

    def said(self, *keys: Key, **more: str) -> str:
        return meta_line(Candidate(User._meta.db_table, keys, **more))

    def test_columns(self):
        line = self.said(Key('"email"', "email"), Key('"created_at"', "created_at", is_descending=True))
        self.assertRegex(line, r'^models\.Index\(fields=\["email", "-created_at"\], name="\w{1,30}"\)$')

    def test_expressions_orders_and_conditions(self):
        line = self.said(Key('UPPER(CAST("email" AS TEXT))'), where='"last_login" IS NULL')
        self.assertRegex(
            line, r'^models\.Index\(Upper\("email"\), name="\w+", condition=Q\(last_login__isnull=True\)\)$'
        )
        line = self.said(Key('"last_login"', "last_login", is_descending=True, nulls="LAST"))
        self.assertIn('F("last_login").desc(nulls_last=True)', line)

    def test_operator_classes(self):
        self.assertIn(
            'opclasses=["varchar_pattern_ops"]', self.said(Key('"email"', "email", opclass="varchar_pattern_ops"))
        )

    def test_a_table_without_a_model(self):
        candidate = Candidate("elsewhere", (Key('"a"', "a"),))
        self.assertEqual((meta_line(candidate), migration_line(candidate)), ("", ""))
        self.assertIn('CREATE INDEX CONCURRENTLY IF NOT EXISTS "elsewhere_a_', create_sql(candidate))
