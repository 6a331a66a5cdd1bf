"""Asking for a plan leaves nothing behind: no prepared statement, and no value in a text that the server may keep."""

from unittest import TestCase as PlainTestCase

import pytest
from django.db import DatabaseError, connection
from django.test import TransactionTestCase

from monitoring.database import advice
from monitoring.database.advice.schema import Column, Schema, Table
from monitoring.database.advice.values import fill, fillings
from monitoring.database.explain import generic_plan, planning
from tests.monitoring.database.test_advice import MARKER, Shelves


@pytest.mark.real
class Prepared(TransactionTestCase):
    """A statement is prepared for as long as it is planned."""

    def prepared(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name = 'kf_statement'")
            return cursor.fetchone()[0]

    def test_one_that_cannot_be_planned_is_gone_and_the_next_is_planned(self):
        with self.assertRaises(DatabaseError), planning(connection) as cursor:
            generic_plan(cursor, "SELECT 1 / 0 WHERE $1 = 1")  # the planner itself divides
        self.assertEqual(self.prepared(), 0)
        with planning(connection) as cursor:
            self.assertEqual(generic_plan(cursor, "SELECT 1 WHERE $1 = 1")["Node Type"], "Result")
        self.assertEqual(self.prepared(), 0)


@pytest.mark.real
class Sent(Shelves):
    """A value of the statistics goes beside the text: the server writes texts down, and some of them in its log."""

    def test_no_text_has_a_value_of_the_statistics(self):
        texts, values = [], []

        def look(execute, sql, params, many, context):
            texts.append(sql)
            values.append(repr(params))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(look):
            self.assertEqual([index.keys for index in advice().indexes], [('"label"',)])
        self.assertNotIn(MARKER, " ".join(texts))
        self.assertIn(MARKER, " ".join(values))  # it was planned with one


@pytest.mark.embedded
class Filling(PlainTestCase):
    """What is bound and what stands in the text."""

    def filled(self, text: str, shapes: list[dict] | tuple = ()):
        column = Column("a", "text", 0.0, -1.0, (), (), tuple(f"{MARKER}{n}" for n in range(9)))
        table = Table("t", 1000.0, 8192, {"a": column})
        schema = Schema({"t": table}, frozenset(), is_c_collation=True, statistics_days=None, is_replica=False)
        found = fill(text, shapes, schema)
        return (found.text, found.values)

    def test_values_of_the_statistics_are_bound_and_a_list_is_several(self):
        text, values = self.filled('SELECT 7 % $1 FROM "t" WHERE "a" = $2 AND "a" IN ($3)')
        self.assertEqual(text, 'SELECT 7 %% \'x\' FROM "t" WHERE "a" = %s AND "a" IN (%s, %s, %s)')
        self.assertEqual(len(values), 4)
        self.assertTrue(all(MARKER in value for value in values))

    def test_of_a_few_values_a_list_has_not_all(self):
        column = Column("a", "text", 0.0, 3.0, ("often", "seldom", "rarely"), (0.7, 0.2, 0.1), ())
        schema = Schema(
            {"t": Table("t", 1000.0, 8192, {"a": column})},
            frozenset(),
            is_c_collation=True,
            statistics_days=None,
            is_replica=False,
        )
        first, *others = fillings('SELECT 1 FROM "t" WHERE "a" IN ($1)', (), schema)
        self.assertEqual(first.values, ("seldom", "rarely"))
        self.assertEqual([one.values for one in others], [("seldom",), ("rarely",), ("often",)])

    def test_a_public_value_and_a_key_stand_in_it(self):
        shapes = [{"kind": "text", "keys": ["b%"]}, {"kind": "text", "value": "it's"}]
        self.assertEqual(
            self.filled('SELECT 1 FROM "t" WHERE "c" ->> $1 = \'x\' AND "a" = $2', shapes),
            ("SELECT 1 FROM \"t\" WHERE \"c\" ->> 'b%%' = 'x' AND \"a\" = 'it''s'", ()),
        )
