"""Of a value only its kind is kept; the value itself where it is one of a public few and under no sensitive name."""

import json
from unittest import TestCase
from uuid import uuid4

import pytest

from monitoring.database.fingerprints import fold
from monitoring.database.shapes import Place, places, shapes

pytestmark = pytest.mark.embedded  # pure

MARKER = "zx9marker"


def learnt(sql: str, *params: object, common: frozenset[str] = frozenset()) -> list[dict]:
    return shapes(fold(sql), params, lambda table, column, value: value in common)


class Shapes(TestCase):
    """Kinds, forms of patterns, keys of JSON."""

    def test_kinds(self):
        told = learnt('SELECT 1 FROM "t" WHERE a = %s AND b = %s AND c = %s AND d > %s', MARKER, 7123456, None, uuid4())
        self.assertEqual([shape["kind"] for shape in told[1:]], ["text", "integer", "null", "uuid"])
        self.assertNotIn("value", told[1])

    def test_the_form_of_a_pattern_without_its_letters(self):
        for value, form in {f"{MARKER}%": "x%", f"%{MARKER}%": "%x%", f"a_{MARKER}\\%": "x_x"}.items():
            [told] = learnt('SELECT a FROM "t" WHERE a LIKE %s', value)
            self.assertEqual(told, {"kind": "text", "like": form})

    def test_keys_of_json_and_not_what_stands_under_them(self):
        told = learnt(
            'SELECT a FROM "t" WHERE ("d" -> %s) = %s AND "d" @> %s', "colour", MARKER, json.dumps({"size": MARKER})
        )
        self.assertEqual(
            told, [{"kind": "text", "keys": ["colour"]}, {"kind": "text"}, {"kind": "json", "keys": ["size"]}]
        )

    def test_a_common_value_is_kept_and_others_are_not(self):
        sql = 'SELECT a FROM "t" WHERE "t"."state" = %s'
        self.assertEqual(learnt(sql, "draft", common=frozenset({"draft"})), [{"kind": "text", "value": "draft"}])
        self.assertEqual(learnt(sql, MARKER, common=frozenset({"draft"})), [{"kind": "text"}])

    def test_under_a_sensitive_name_never(self):
        told = learnt('SELECT a FROM "t" WHERE "t"."email" = %s', MARKER, common=frozenset({MARKER}))
        self.assertEqual(told, [{"kind": "text"}])

    def test_a_literal_of_the_text_is_treated_like_a_value(self):
        [told, limit] = learnt(f"SELECT a FROM t WHERE b = '{MARKER}' LIMIT 21")
        self.assertEqual((told, limit["value"]), ({"kind": "text"}, 21))


class Places(TestCase):
    """What a value is compared with, by the name of the table and not of its alias."""

    def test_of_the_orms_text(self):
        text = fold(
            'SELECT T3."a" FROM "invoice" INNER JOIN "customer" T3 ON ("invoice"."customer_id" = T3."id") '
            'WHERE (T3."state" = %s AND UPPER("invoice"."number"::text) = UPPER(%s) AND "invoice"."total" > %s '
            'AND "invoice"."kind" IN (%s, %s)) LIMIT 3'
        ).text
        self.assertEqual(
            places(text),
            [
                Place("customer", "state", "="),
                Place("invoice", "number", "="),
                Place("invoice", "total", ">"),
                Place("invoice", "kind", "IN"),
                Place("", "", "LIMIT"),
            ],
        )
