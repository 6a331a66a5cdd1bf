"""The audit tables keep what was written, whoever asks; and a guard that is missing is told of."""

import os
import sqlite3
from io import StringIO
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import TransactionTestCase
from psycopg.sql import SQL, Identifier

from security.audit import Action, AuditPii, record
from security.context import bind
from security.posture import audit_installation
from security.tlog import AuditAnchor, AuditPruned, seal_pending
from security.trail import install_triggers, maintenance, triggers_not_in_place
from security.trail.guards import postgresql_guards
from tests.security.audit.examples import REQUEST
from tests.security.tlog.log import GUARDED, SIZES, SealedLog, switch_off_triggers
from tests.security.trail.trail import IS_POSTGRESQL, another_client, run

SUPERUSER = os.environ.get("TEST_DATABASE_SUPERUSER_URL", "")
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


# By what whoever owns the tables can have them note nothing, and leave every trigger of ours where it is.
OTHERS = (
    {
        "quiet on audit_change": "CREATE TRIGGER quiet BEFORE INSERT ON audit_change FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        # Where it is, it has the name of one of ours, which is on another table.
        "audit_tile_guard on audit_change": "CREATE TRIGGER audit_tile_guard BEFORE INSERT ON audit_change FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "public.more_groups inherits accounts_user_groups": "CREATE TABLE more_groups () INHERITS"
        " (accounts_user_groups)",
        # What is not watched is written in the transactions of ours too, and what else it does is told in our name.
        "lever on outbox_message": "CREATE TRIGGER lever BEFORE INSERT ON outbox_message FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "rule lever on lockout_counter": "CREATE RULE lever AS ON INSERT TO lockout_counter DO ALSO"
        " UPDATE accounts_user SET is_superuser = true",
        "rule quiet on audit_change": "CREATE RULE quiet AS ON INSERT TO audit_change DO INSTEAD NOTHING",
        "rule quiet on accounts_user": "CREATE RULE quiet AS ON DELETE TO accounts_user DO ALSO NOTHING",
        "row level security on audit_event": "ALTER TABLE audit_event ENABLE ROW LEVEL SECURITY",
    }
    if IS_POSTGRESQL
    else {
        "quiet on audit_change": "CREATE TRIGGER quiet BEFORE INSERT ON audit_change BEGIN SELECT RAISE(IGNORE); END",
        "quiet on accounts_user": "CREATE TRIGGER quiet AFTER UPDATE ON accounts_user BEGIN SELECT 1; END",
        "lever on outbox_message": "CREATE TRIGGER lever AFTER INSERT ON outbox_message BEGIN"
        " UPDATE accounts_user SET is_superuser = 1; END",
    }
)


class Guards(SealedLog):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        AuditAnchor.objects.create(sink="witness", size=SIZES[0], note="note", seen_at="2026-11-28T06:00:00Z")

    def refuses(self, statement: str, *values: object) -> None:
        with self.assertRaisesMessage(IntegrityError, "is append-only"), transaction.atomic():
            run(statement, *values)

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

    def test_what_others_put_beside_ours_is_told_of_because_it_may_note_nothing(self):
        for name, statement in OTHERS.items():
            with self.subTest(name), transaction.atomic():
                run(statement)
                self.assertEqual(triggers_not_in_place(), [f"{name} (not ours)"])
                self.assertEqual([fault.kind.value for fault in self.verify().faults], ["trigger_missing"])
                self.assertEqual(self.findings(), triggers_not_in_place())
                transaction.set_rollback(True)
        self.assertEqual(triggers_not_in_place(), [])

    def test_what_others_put_to_other_tables_is_theirs(self):
        run("CREATE TABLE theirs (id integer)")
        run(
            "CREATE TRIGGER quiet BEFORE INSERT ON theirs "
            + ("FOR EACH ROW EXECUTE FUNCTION audit_event_guard()" if IS_POSTGRESQL else "BEGIN SELECT 1; END")
        )
        self.assertEqual(triggers_not_in_place(), [])

    @pytest.mark.skipif(not IS_POSTGRESQL, reason="SQLite's catalogue cannot be shadowed")
    def test_a_catalogue_of_somebody_else_is_not_believed_and_told_of(self):
        switch_off = "ALTER TABLE audit_event DISABLE TRIGGER audit_event_guard"
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run("CREATE TABLE public.pg_trigger AS SELECT * FROM pg_catalog.pg_trigger")
        run("SET LOCAL search_path = public, pg_catalog")
        self.assertEqual(triggers_not_in_place(), ["search_path (not ours)"])
        run(switch_off)
        for _ in range(2):  # what looks leaves the session as it was
            self.assertEqual(triggers_not_in_place(), ["audit_event_guard", "search_path (not ours)"])
        run("SET LOCAL search_path = public")
        self.assertEqual(triggers_not_in_place(), ["audit_event_guard"])
        run("CREATE TEMPORARY TABLE theirs (id integer)")
        self.assertEqual(triggers_not_in_place(), ["audit_event_guard"])

    @pytest.mark.skipif(not IS_POSTGRESQL, reason="SQLite has no functions of its own")
    def test_a_function_that_fits_better_than_the_catalogues_is_not_asked(self):
        [guard] = [one for one in postgresql_guards("public") if one.name == "audit_event_guard"]
        run(
            "CREATE FUNCTION concat_ws(text, text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT CASE"
            " WHEN $2 LIKE '%audit_event_guard%' THEN '" + guard.says.replace("'", "''") + "'"
            " ELSE pg_catalog.concat_ws($1, $2, $3, $4) END $$"
        )
        run(
            "CREATE OR REPLACE FUNCTION audit_event_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        )
        self.assertEqual(triggers_not_in_place(), ["audit_event_guard"])

    def test_to_look_costs_next_to_nothing(self):
        with self.assertNumQueries(5 if IS_POSTGRESQL else 1):
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

    @pytest.mark.real
    @pytest.mark.skipif(not SUPERUSER, reason="needs a superuser of PostgreSQL")
    def test_a_role_of_whom_no_trigger_fires_is_told_of(self):
        role, own = connection.settings_dict["USER"], connection.settings_dict["NAME"]
        self.addCleanup(connection.close)
        with psycopg.connect(SUPERUSER, autocommit=True) as superuser:
            of_role = SQL("ALTER ROLE {} IN DATABASE {} ").format(Identifier(role), Identifier(own))
            superuser.execute(of_role + SQL("SET session_replication_role = replica"))
            try:
                connection.close()
                self.assertEqual(triggers_not_in_place(), ["session_replication_role (not ours)"])
            finally:
                superuser.execute(of_role + SQL("RESET session_replication_role"))

    def test_after_migrate_everything_is_in_place(self):
        switch_off_triggers()
        self.assertNotEqual(triggers_not_in_place(), [])
        call_command("migrate", verbosity=0)
        self.assertEqual(triggers_not_in_place(), [])
        self.assertEqual(AuditPii.objects.count(), 1)
