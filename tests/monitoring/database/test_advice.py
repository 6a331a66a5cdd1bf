"""Advice names the index that is missing and the one that is superfluous, proves what it can, and changes nothing."""

import json
from pathlib import Path
from unittest import TestCase

import pytest
from django.core.management import CommandError
from django.db import connection
from django.db.models import F

from monitoring.database import advice, flush
from monitoring.database.advice.syntax import uses
from monitoring.database.models import RecordedStatement
from tests.commands import output_of
from tests.monitoring.database.shelves import MARKER, ROWS, Shelves


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

    def unseen(self, sql, params, *, rows=0) -> list[tuple[str, ...]]:
        """Keys of the indexes that are advised for a statement of whose values nothing is known, but `rows` it gave."""
        RecordedStatement.objects.all().delete()
        with connection.cursor() as cursor:
            for _ in range(6):
                cursor.execute(sql, params)
        flush()
        RecordedStatement.objects.update(total_ms=F("calls") * 20, shapes=[], rows=rows)
        given = advice()
        self.assertEqual(given.not_read, ())
        return [index.keys for index in given.indexes]

    def test_of_how_rare_a_value_is_the_rows_that_came_tell(self):
        sql = "SELECT id, label FROM shelf WHERE state = %s"
        with connection.cursor() as cursor:
            cursor.execute("UPDATE shelf SET state = 'lost' WHERE id < 20")
            cursor.execute("ANALYZE shelf")
        self.assertEqual(self.unseen(sql, ["lost"], rows=20), [('"state"',)])
        self.assertEqual(self.unseen(sql, ["there"], rows=ROWS), [])
        self.assertEqual(self.unseen(sql, ["lost"]), [])  # perhaps it is always the other

    def test_of_which_type_a_value_is_the_server_tells(self):
        expression = '(CAST(("moved" + "item") AS BIGINT))'
        found = self.unseen('SELECT id FROM shelf WHERE ("moved" + "item")::bigint = %s', [7])
        self.assertEqual(found, [(expression,)])

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
