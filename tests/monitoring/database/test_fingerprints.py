"""A statement is the same whatever values it is run with, and what is kept of it holds none."""

from unittest import TestCase

import pytest

from monitoring.database.fingerprints import fold

pytestmark = pytest.mark.embedded  # pure

MARKER = "zx9marker"
SELECT = 'SELECT "p"."id" FROM "people" "p" WHERE ("p"."email" = %s AND "p"."state" IN (%s, %s)) ORDER BY 1 LIMIT 21'


class Folding(TestCase):
    """Values are `$n` in the order of the text; lists and rows are one."""

    def test_a_statement_can_still_be_planned(self):
        expected = (
            'SELECT "p"."id" FROM "people" "p" WHERE ("p"."email" = $1 AND "p"."state" IN ($2)) ORDER BY 1 LIMIT $3'
        )
        folded = fold(SELECT)
        self.assertEqual((folded.text, folded.places), (expected, (0, 1, "21")))

    def test_a_longer_list_is_the_same_statement(self):
        self.assertEqual(fold(SELECT).fingerprint, fold(SELECT.replace("%s, %s", "%s, %s, %s, %s")).fingerprint)

    def test_another_column_is_another(self):
        self.assertNotEqual(fold(SELECT).fingerprint, fold(SELECT.replace("email", "phone")).fingerprint)

    def test_it_is_what_postgresql_keeps(self):
        kept = SELECT.replace("= %s", "= $1").replace("%s, %s", "$2,\n  $3").replace("21", "$4")
        self.assertEqual(fold(kept).fingerprint, fold(SELECT).fingerprint)
        ours, theirs = 'SELECT EXTRACT(YEAR FROM "t"."day") FROM "t"', 'SELECT EXTRACT($1 FROM "t"."day") FROM "t"'
        self.assertEqual(fold(ours).fingerprint, fold(theirs).fingerprint)

    def test_rows_of_an_insert_are_one(self):
        one = fold('INSERT INTO "t" ("a", "b") VALUES (%s, %s) RETURNING "t"."id"')
        many = fold('INSERT INTO "t" ("a", "b") VALUES (%s, %s), (%s, lower(%s)), (%s, %s) RETURNING "t"."id"')
        self.assertEqual(many.fingerprint, one.fingerprint)
        self.assertEqual((many.places, many.operation), ((0, 1), "insert"))

    def test_no_literal_stays(self):
        for literal in (
            f"'{MARKER}'", f"'it''s {MARKER}'", f"E'\\'{MARKER}'", f"$x${MARKER}$x$", f"-- {MARKER}\n 1",
            f"/* {MARKER} */ 2", "77123456", "7.7123456e5",
        ):  # fmt: skip
            with self.subTest(literal):
                text = fold(f"SELECT a FROM t4 WHERE b = {literal} AND c > 3").text
                self.assertRegex(text, r"^SELECT a FROM t4 WHERE b = ?\$1 AND c > \$2$")

    def test_names_and_types_stay(self):
        text = 'SELECT U0."x9", t.c::varchar(20) FROM t4 AS "U0" WHERE x LIKE %s ESCAPE \'\\\''
        self.assertEqual(fold(text).text, text.replace("%s", "$1"))

    def test_savepoints_are_one_statement_and_no_table_is_read(self):
        self.assertEqual(fold('SAVEPOINT "s1_x1"').fingerprint, fold('SAVEPOINT "s2_x7"').fingerprint)
        self.assertTrue(fold("BEGIN IMMEDIATE").is_control)

    def test_operations(self):
        for text, operation in {
            "(SELECT 1)": "select",
            "WITH a AS (SELECT 1) SELECT 2": "select",
            "WITH a AS (UPDATE t SET b = 1 RETURNING 1) SELECT 2": "update",
            "DELETE FROM t": "delete",
            "VACUUM": "other",
        }.items():
            self.assertEqual(fold(text).operation, operation, text)
