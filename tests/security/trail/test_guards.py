"""The audit tables keep what was written, whoever asks; and a guard that is missing is told of."""

import sqlite3
from io import StringIO
from uuid import uuid4

import psycopg
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.test import TransactionTestCase

from security.audit import Action, AuditPii, record
from security.context import bind
from security.posture import audit_installation
from security.tlog import AuditAnchor, AuditPruned, seal_pending
from security.trail import install_triggers, maintenance, triggers_not_in_place
from tests.security.audit.examples import REQUEST
from tests.security.tlog.log import GUARDED, SIZES, SealedLog, switch_off_triggers
from tests.security.trail.trail import IS_POSTGRESQL, another_client, run

REFUSED = (
    "UPDATE audit_event SET outcome = 'refused'",
    "UPDATE audit_event SET tree_index = tree_index + 1000",
    "UPDATE audit_event SET tree_index = NULL",
    "UPDATE audit_event SET id = id + 1000",
    "UPDATE audit_event SET address_key = '', type = 'x'",
    "DELETE FROM audit_event",
    "UPDATE audit_pii SET ciphertext = leaf_hash FROM audit_event WHERE audit_event.id <> audit_pii.event_id",
    "UPDATE audit_pii SET event_id = event_id + 1",
    "UPDATE audit_tile SET hashes = substr(hashes, 1, 32)",
    "UPDATE audit_tile SET level = level + 8",
    "UPDATE audit_tile SET hashes = root FROM audit_checkpoint",
    "DELETE FROM audit_tile",
    "UPDATE audit_checkpoint SET note = ''",
    "UPDATE audit_checkpoint SET size = size + 1000",
    "DELETE FROM audit_checkpoint",
    "UPDATE audit_log SET origin = 'x'",
    "DELETE FROM audit_log",
    "UPDATE audit_anchor SET note = 'x'",
    "DELETE FROM audit_anchor",
)
# What erasure, the rotation of the index key, and sealing do.
ALLOWED = (
    "UPDATE audit_event SET address_index = NULL, address_key = ''",
    "UPDATE audit_event SET tree_index = id + 1000 WHERE tree_index IS NULL",
    "UPDATE audit_event SET tree_index = tree_index",
    "DELETE FROM audit_pii",
)


class Guards(SealedLog):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        AuditAnchor.objects.create(sink="witness", size=SIZES[0], note="note", seen_at="2026-11-28T06:00:00Z")

    def refuses(self, sql: str, *values: object) -> None:
        with self.assertRaisesMessage(IntegrityError, "is append-only"), transaction.atomic():
            run(sql, *values)

    def test_nothing_that_was_recorded_is_changed_or_deleted(self):
        for sql in REFUSED:
            with self.subTest(sql):
                self.refuses(sql)
        self.assertEqual(self.found(), {})

    def test_a_column_that_came_later_is_guarded_too(self):
        if not IS_POSTGRESQL:
            return  # there the triggers are made anew with the columns of the models
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run("ALTER TABLE audit_event ADD COLUMN later integer")
        self.refuses("UPDATE audit_event SET later = 1")

    def test_nothing_is_replaced_or_emptied_at_once(self):
        if IS_POSTGRESQL:
            run("SET CONSTRAINTS ALL IMMEDIATE")  # else it is the checks that wait which refuse
            for table in GUARDED:
                with self.subTest(table):
                    self.refuses(f"TRUNCATE {table} CASCADE")
            return
        AuditPruned.objects.create(plan=uuid4(), audit_class="noise", tile=0, places=bytes(32))
        for table in GUARDED:
            if table != "audit_pii":
                with self.subTest(table):
                    self.refuses(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")

    def test_what_the_log_itself_does_is_done(self):
        self.act(3)
        for sql in ALLOWED:
            with self.subTest(sql):
                self.assertGreater(run(sql), 0)

    def test_maintenance_may_and_only_inside_its_block(self):
        with maintenance():
            self.assertGreater(run("DELETE FROM audit_pii"), 0)
            run("DELETE FROM audit_anchor")
            run("UPDATE audit_log SET origin = 'x'")
        self.refuses("DELETE FROM audit_event")

    def test_maintenance_that_failed_is_over(self):
        with self.assertRaises(DatabaseError), maintenance():
            run("SELECT * FROM no_such_table")
        self.refuses("DELETE FROM audit_event")

    def test_a_missing_trigger_is_told_by_verification_and_by_the_security_audit(self):
        self.assertEqual(triggers_not_in_place(), [])
        self.assertEqual(self.findings(), [])
        switch_off_triggers("audit_event")
        out = StringIO()
        with self.assertRaises(SystemExit) as ended:
            call_command("audit_verify", stdout=out)
        self.assertEqual(ended.exception.code, 1)
        self.assertIn(
            "WRONG  trigger_missing: the database does not guard what was recorded: audit_event_", out.getvalue()
        )
        self.assertIn("The log is not guarded.", out.getvalue())
        self.assertEqual(self.findings(), triggers_not_in_place())
        self.assertGreaterEqual(len(self.findings()), 2)

    def findings(self) -> list[str]:
        return [finding.subject for finding in audit_installation().findings if finding.id == "KF.L010"]

    def test_a_trigger_that_refuses_nothing_any_more_counts_as_missing(self):
        if IS_POSTGRESQL:
            run(
                "CREATE OR REPLACE FUNCTION audit_event_guard() RETURNS trigger LANGUAGE plpgsql"
                " AS 'BEGIN RETURN NEW; END'"
            )
            self.assertEqual(triggers_not_in_place(), ["audit_event_guard"])
        else:
            run("DROP TRIGGER audit_event_update")
            run("CREATE TRIGGER audit_event_update BEFORE UPDATE ON audit_event WHEN 0 BEGIN SELECT 1; END")
            self.assertEqual(triggers_not_in_place(), ["audit_event_update"])
        install_triggers()
        self.assertEqual(triggers_not_in_place(), [])
        self.refuses("UPDATE audit_event SET outcome = 'refused'")

    def test_to_look_costs_next_to_nothing(self):
        with self.assertNumQueries(2 if IS_POSTGRESQL else 1):
            install_triggers()


class Elsewhere(TransactionTestCase):
    """Another client of the same database, which has never heard of us."""

    def setUp(self):
        with bind(REQUEST), transaction.atomic():
            record(Action.KEYS_ADDED)
        seal_pending()

    def test_is_refused_alike(self):
        wrong = psycopg.errors.RestrictViolation if IS_POSTGRESQL else sqlite3.OperationalError
        statements = ["DELETE FROM audit_event", "UPDATE audit_event SET outcome = 'x'", "DELETE FROM audit_tile"]
        if not IS_POSTGRESQL:
            statements.append("INSERT OR REPLACE INTO audit_event SELECT * FROM audit_event")
        for sql in statements:
            client = another_client()
            try:
                with self.subTest(sql), self.assertRaises(wrong):
                    client.execute(sql)
            finally:
                client.close()

    def test_after_migrate_everything_is_in_place(self):
        switch_off_triggers()
        self.assertNotEqual(triggers_not_in_place(), [])
        call_command("migrate", verbosity=0)
        self.assertEqual(triggers_not_in_place(), [])
        self.assertEqual(AuditPii.objects.count(), 1)
