"""A statement is the same whatever values it is run with, and what is kept of it holds none."""

from time import thread_time
from unittest import TestCase

import pytest

from monitoring.database.fingerprints import MAX_TEXT, UNREADABLE, fold

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


class Hostile(TestCase):
    """Whatever the text is, no value of it stays, it takes no time, and nothing is raised."""

    def test_no_value_hides_where_a_text_is_kept(self):
        for text in (
            f"/* a /* b */ {MARKER} */ SELECT 1", f"SELECT 1 WHERE a LIKE 'b' ESCAPE '{MARKER}'",
            f"SELECT $A$ x $a$ {MARKER} $a$ y $A$", f"SELECT 0x{MARKER}", f"SELECT \x01 '{MARKER}\x01'",
            f"SELECT E'\\' {MARKER}'", f"SELECT 'a' ESCAPE ''' {MARKER}'",
        ):  # fmt: skip
            with self.subTest(text):
                folded = fold(text)
                self.assertNotIn(MARKER, folded.text)
                self.assertEqual((folded.operation, folded.text.count("$")), ("select", len(folded.places)))

    def test_what_has_no_end_leaves_nothing(self):
        cut = "SELECT 1 WHERE a = '" + MARKER * (MAX_TEXT // len(MARKER)) + "'"
        for text in (
            cut, f"SELECT '{MARKER}", f"SELECT E'{MARKER}\\'", f"SELECT $x${MARKER}$X$", f'SELECT "{MARKER}',
            f"SELECT /* /* {MARKER} */", f"SELECT B'{MARKER}",
        ):  # fmt: skip
            with self.subTest(text[:40]):
                folded = fold(text)
                self.assertEqual((folded.text, folded.places, folded.is_control), (UNREADABLE, (), True))

    def test_what_no_database_takes_is_folded_too(self):
        for text in ("", "\x01", "SELECT \x01, 1", "\ud800", "SELECT ))((", "VALUES (", "(" * 30):
            fold(text)
        self.assertEqual(fold("SELECT \x01, 1").text, "SELECT , $1")

    def test_twenty_thousand_signs_take_no_time(self):
        for piece, start in (
            ("1,", "INSERT INTO t VALUES ("), ("(1),", "VALUES ("), ("VALUES (", ""), ("VALUES (1),(", ""), ("/*", ""),
            ("*/", "/*"), ("'", ""), ("E'\\'", ""), ("$a", ""), ("$a$ ", ""), ("%(a", ""), ("IN (", ""),
            ("%s,", "SELECT 1 IN ("), ("(", ""), ("( ", ""), (" ", ""), ("EXTRACT (a ", ""), ("::", ""), ("1e", ""),
            ("ORDER BY 1,", ""), ("ESCAPE ", ""), ("ESCAPE '", ""), ('"', ""), ("--", ""), ("-- \n", ""), ("a", ""),
            ("((1),(1)),", "VALUES "), ("/**/", ""), ("\x01", "VALUES ("),
        ):  # fmt: skip
            with self.subTest(start + piece):
                text = start + piece * (MAX_TEXT // len(piece))
                began = thread_time()
                fold(text)
                self.assertLess(thread_time() - began, 0.3)

    def test_rows_within_rows(self):
        folded = fold("INSERT INTO t VALUES (f((%s), g(%s)), %s), (f((%s), g(%s)), %s) RETURNING (VALUES (1), (2))")
        self.assertEqual(folded.text, "INSERT INTO t VALUES (f(($1), g($2)), $3) RETURNING (VALUES ($4))")
        self.assertEqual(folded.places, (0, 1, 2, "1"))
