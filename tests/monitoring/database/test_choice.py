"""Which of several indexes is advised, by what the planner says for the values we took and for unknown ones."""

from unittest import TestCase
from unittest.mock import Mock

import pytest

from monitoring.database.advice.candidates import Candidate, candidates
from monitoring.database.advice.choice import Chosen, Question, choose
from monitoring.database.advice.schema import Column, Schema, Table
from monitoring.database.advice.syntax import Key, uses
from monitoring.database.advice.values import Filled, fill
from monitoring.database.advice.workload import Observed

pytestmark = pytest.mark.embedded


def on(*columns: str, where: str = "") -> Candidate:
    return Candidate("t", tuple(Key(f'"{column}"', column) for column in columns), where)


class AnyValue(TestCase):
    """An index that lives from the values we took is not advised where another does without, and says so elsewhere."""

    def chosen(self, prices: dict[Candidate, float], generic: dict[Candidate, float | None]) -> list[Chosen]:
        observed = Observed("f", "SELECT", "select", 10, 100.0, 1)
        question = Question(observed, Filled("SELECT"), list(prices), cost=1000.0)
        judge = Mock(
            price=lambda _, one: prices[one], generic=lambda _, one: generic.get(one), together=lambda *_: None
        )
        return choose([question], judge, rows_written=lambda _: 0.0, total_ms=100.0)

    def test_one_that_is_far_from_the_best_for_unknown_values_is_not_advised(self):
        rare, wide = on("state"), on("state", "made")
        [one] = self.chosen({rare: 10.0, wide: 11.0}, {rare: 900.0, wide: 20.0})
        self.assertEqual((one.candidate, one.is_narrow), (wide, False))

    def test_one_that_is_about_as_good_is(self):
        short, wide = on("state"), on("state", "made")
        [one] = self.chosen({short: 10.0, wide: 10.0}, {short: 40.0, wide: 20.0})
        self.assertEqual((one.candidate, one.is_narrow), (short, False))

    def test_one_without_a_rival_is_advised_and_marked(self):
        [one] = self.chosen({on("state"): 10.0}, {on("state"): None})
        self.assertTrue(one.is_narrow)

    def test_a_partial_one_names_its_value(self):
        part, plain = on("made", where="\"state\" = 'lost'"), on("state", "made")
        [one] = self.chosen({part: 10.0, plain: 14.0}, {plain: 20.0})
        self.assertEqual((one.candidate, one.is_narrow), (part, False))


class Unseen(TestCase):
    """Of a statement whose values nobody saw, what serves any of them is tried all the same."""

    def schema(self, *extensions: str) -> Schema:
        columns = {name: Column(name, kind, 0.0, -1.0, (), (), ()) for name, kind in (("a", "text"), ("d", "jsonb"))}
        tables = {"t": Table("t", 9000.0, 8192, columns)}
        return Schema(tables, frozenset(extensions), is_c_collation=False, statistics_days=None, is_replica=False)

    def tried(self, text: str, *extensions: str) -> tuple[bool, list[str]]:
        schema = self.schema(*extensions)
        found = candidates(uses(text), (), schema)
        return fill(text, (), schema) is not None, [str(one.keys[0]) for one in found if one.method == "gin"]

    def test_a_document_that_holds_another(self):
        self.assertEqual(self.tried('SELECT 1 FROM "t" WHERE "t"."d" @> $1::jsonb'), (True, ['"d" jsonb_path_ops']))

    def test_a_pattern_by_trigrams_where_they_are_there(self):
        text = 'SELECT 1 FROM "t" WHERE "t"."a" LIKE $1'
        self.assertEqual(self.tried(text, "pg_trgm"), (True, ['"a" gin_trgm_ops']))
        self.assertEqual(self.tried(text), (False, []))
