"""An advised index in SQL and in Django's words."""

from unittest import TestCase

import pytest

from accounts.identity.models import User
from monitoring.database.advice.candidates import Candidate
from monitoring.database.advice.syntax import Key
from monitoring.database.advice.wording import create_sql, meta_line, migration_line

pytestmark = pytest.mark.embedded  # no store is asked


class Wording(TestCase):
    """What is copied into a migration, or run, is right as it stands."""

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
