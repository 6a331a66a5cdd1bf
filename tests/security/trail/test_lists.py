"""Every table is watched, or says why not; and what is told of one names columns that there are."""

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import SimpleTestCase, TransactionTestCase

from security.trail import audited, not_audited, triggers_not_in_place
from tests.security.trail.trail import run

# What may never be told, whatever the table.
_NEVER = {
    "password",
    "name",
    "email",
    "phone",
    "gstin",
    "pan",
    "secret",
    "code_hash",
    "token_hash",
    "address",
    "identity",
}


class Lists(SimpleTestCase):
    def tables(self):
        models = apps.get_models(include_auto_created=True)
        return {m._meta.db_table: m for m in models if m._meta.managed and not m._meta.proxy}

    def test_each_table_stands_in_one_list_and_no_other_does(self):
        tables, watched, unwatched = self.tables(), {entry.table for entry in audited()}, set(not_audited())
        self.assertEqual(watched & unwatched, set())
        self.assertEqual(set(tables) - watched - unwatched, set(), "watch it (AUDITED), or say why not (NOT_AUDITED)")
        self.assertEqual(watched | unwatched, set(tables))

    def test_its_columns_are_there(self):
        tables = self.tables()
        for entry in audited():
            with self.subTest(entry.table):
                columns = {field.column for field in tables[entry.table]._meta.concrete_fields}
                self.assertEqual({*entry.watched, entry.row, entry.subject or entry.row} - columns, set())
                for table in entry.people.values():
                    self.assertIn("subject_id", {field.column for field in tables[table]._meta.concrete_fields})

    def test_each_column_is_watched_or_says_why_not(self):
        tables = self.tables()
        for entry in audited():
            with self.subTest(entry.table):
                columns = {field.column for field in tables[entry.table]._meta.concrete_fields}
                self.assertEqual(set(entry.watched) & set(entry.quiet), set())
                self.assertEqual({*entry.watched, *entry.quiet}, columns, "watch it, or say why not (quiet)")
                self.assertTrue(all(entry.quiet.values()))

    def test_nothing_personal_is_among_the_values(self):
        for entry in audited():
            if entry.table != "auth_group":  # the name of a role
                with self.subTest(entry.table):
                    self.assertEqual(set(entry.values) & _NEVER, set())


class Migrating(TransactionTestCase):
    """`migrate` finds its way past the triggers, and leaves them in place."""

    def tearDown(self):
        call_command("migrate", verbosity=0)

    def triggers(self) -> int:
        catalogue = "pg_trigger WHERE NOT tgisinternal AND tgname LIKE '%%\\_%%'"
        where = catalogue if connection.vendor == "postgresql" else "sqlite_master WHERE type = 'trigger'"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {where}".replace("%%", "%"))
            return cursor.fetchone()[0]

    def test_a_table_that_is_changed_keeps_them(self):
        call_command("migrate", "accounts", "0004", verbosity=0)
        self.assertEqual(triggers_not_in_place(), [])
        call_command("migrate", "accounts", verbosity=0)
        self.assertEqual(triggers_not_in_place(), [])

    def test_back_before_them_there_is_none_and_the_tables_can_be_written(self):
        others = self.triggers()
        call_command("migrate", "security", "0006", verbosity=0)
        self.assertEqual(others - self.triggers(), len(triggers_not_in_place()))
        run("INSERT INTO auth_group (name) VALUES ('Auditor')")
        call_command("migrate", verbosity=0)
        self.assertEqual(triggers_not_in_place(), [])
