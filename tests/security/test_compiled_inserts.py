"""Compiled INSERTs store what the ORM stores, on both databases."""

from datetime import UTC, datetime
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.models.sql.compiler import SQLInsertCompiler
from django.test.utils import CaptureQueriesContext

from security.audit import Action, AuditEvent, AuditPii, record
from security.audit.models import UnidentifiedSubject
from security.statements import Insert, InsertPair
from security.trail import maintenance
from tests.security.audit.examples import AuditCase

NOON = datetime(2026, 11, 24, 6, 30, 0, 123456, tzinfo=UTC)


class AnInsert(AuditCase):
    """A compiled insert stores what `save()` stores: seen on the audit log's two tables."""

    def test_events_and_their_personal_values_are_what_the_orm_would_store(self):
        ours = record(Action.PROFILE_UPDATED, actor=self.asha, target=self.bilal, session_id=uuid4())
        ours.tx = AuditEvent.objects.values_list("tx", flat=True).get(pk=ours.pk)  # filled in by the database
        rows = [ours.pii.get(), ours]
        stored = [type(row).objects.values_list().get(pk=row.pk)[1:] for row in rows]
        for row, values in zip(rows, stored, strict=True):
            self.clear_the_table(type(row))
            twin = type(row)(**{name: value for name, value in vars(row).items() if name not in ("id", "_state")})
            models.Model.save(twin, force_insert=True)
            self.assertEqual(type(row).objects.values_list().get(pk=twin.pk)[1:], values)
            self.assertIsNotNone(twin.pk)
            self.clear_the_table(type(row))

    def test_an_event_without_person_address_or_index_is_too(self):
        event = record(Action.KEYS_CREATED)
        AuditEvent.objects.filter(pk=event.pk).forget_addresses()
        again = AuditEvent.objects.get(pk=event.pk)
        self.assertEqual((again.actor, again.target, again.tree_index, again.address_index), (None,) * 4)
        self.assertEqual(again.occurred_at, event.occurred_at)

    def test_the_row_knows_its_key_and_that_it_is_stored(self):
        row = Insert(AuditPii)
        event = record(Action.KEYS_CREATED)
        pii = AuditPii(event=event, field="name", subject=uuid4(), ciphertext=b"sealed")
        row.run(pii)
        self.assertEqual(AuditPii.objects.get(field="name"), pii)
        self.assertEqual((pii._state.adding, pii._state.db), (False, "default"))

    @pytest.mark.skipif(connection.vendor == "postgresql", reason="It answers with the key")
    def test_the_key_is_its_own_where_a_trigger_writes_another_row(self):
        event = record(Action.KEYS_CREATED)
        with connection.cursor() as cursor:
            values = f"VALUES (4711, '1999-01', '{self.asha.pk.hex}')"
            write = f"INSERT INTO audit_unidentified (id, month, subject_id) {values}"
            cursor.execute(f"CREATE TRIGGER other AFTER INSERT ON audit_pii BEGIN {write}; END")
        pii = AuditPii(event=event, field="name", subject=uuid4(), ciphertext=b"sealed")
        Insert(AuditPii).run(pii)
        self.assertTrue(UnidentifiedSubject.objects.filter(pk=4711).exists())
        self.assertEqual(AuditPii.objects.get(field="name").pk, pii.pk)

    @pytest.mark.skipif(connection.vendor == "postgresql", reason="It answers with the key")
    def test_sqlite_is_not_asked_for_the_key(self):
        with CaptureQueriesContext(connection) as ran:
            record(Action.KEYS_CREATED, actor=self.asha)
        self.assertEqual([query for query in ran.captured_queries if "RETURNING" in query["sql"]], [])

    def test_the_orm_builds_it_once(self):
        insert, event = Insert(AuditPii), record(Action.KEYS_CREATED)
        compiler = SQLInsertCompiler
        with patch.object(compiler, "as_sql", autospec=True, side_effect=compiler.as_sql) as built:
            for name in "abc":
                insert.run(AuditPii(event=event, field=name, subject=uuid4(), ciphertext=b"x"))
        self.assertEqual(built.call_count, 1)

    def clear_the_table(self, model):
        # The log refuses to delete through its models, so the test must go past them.
        with maintenance(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")


class AnInsertPair(AuditCase):
    """Two rows inserted in one round trip are the rows that two INSERTs store, and stand or fall together."""

    def setUp(self):
        super().setUp()
        self.pair = InsertPair(Insert(AuditEvent), Insert(AuditPii), link="event")

    def rows(self, *, field="address", **columns):
        """An event with every column filled unless `columns` says otherwise, and a value of it; not stored."""
        filled = {
            "leaf": b"leaf", "leaf_hash": b"h" * 32, "mac": b"m" * 32, "mac_key": "key", "tree_index": 7,
            "type": "profile.updated", "audit_class": "account", "outcome": "failed", "occurred_at": NOON,
            "actor": uuid4(), "target": uuid4(), "company": uuid4(), "session_id": "s", "request_id": "r",
            "address_index": b"a" * 32, "address_key": "1", "event_id": uuid4(),
        }  # fmt: skip
        return AuditEvent(**filled | columns), AuditPii(field=field, subject=uuid4(), ciphertext=b"sealed")

    def columns(self, row):
        fields = [field.attname for field in type(row)._meta.concrete_fields if not field.primary_key]
        return type(row).objects.values(*fields).get(pk=row.pk)

    def test_the_rows_are_what_two_inserts_store(self):
        optional = ("tree_index", "actor", "target", "company", "session_id", "address_index")
        for given in ({}, dict.fromkeys(optional)):
            with self.subTest(given):
                event, value = self.rows(**given)
                self.pair.run(event, value)
                ours = self.columns(event), self.columns(value)
                self.assertEqual(ours[0], {name: getattr(event, name) for name in ours[0]})
                with maintenance(), connection.cursor() as cursor:  # the log refuses to delete through its models
                    cursor.execute("DELETE FROM audit_pii")
                    cursor.execute("DELETE FROM audit_event")
                twin = AuditEvent(**ours[0])
                models.Model.save(twin, force_insert=True)
                own = AuditPii(**ours[1] | {"event_id": twin.pk})
                models.Model.save(own, force_insert=True)
                self.assertEqual(ours[0], self.columns(twin))
                self.assertEqual(ours[1], self.columns(own) | {"event_id": event.pk})

    def test_the_rows_know_their_keys_each_other_and_that_they_are_stored(self):
        for name in ("address", "email"):
            event, value = self.rows(tree_index=None, field=name)
            self.pair.run(event, value)
            self.assertEqual(AuditEvent.objects.get(event_id=event.event_id).pk, event.pk)
            self.assertEqual(AuditPii.objects.get(field=name).pk, value.pk)
            self.assertEqual((value.event, value.event_id), (event, event.pk))
            for row in (event, value):
                self.assertEqual((row._state.adding, row._state.db), (False, "default"))

    def test_postgresql_is_asked_once(self):
        with self.assertNumQueries(1 if connection.vendor == "postgresql" else 2):
            self.pair.run(*self.rows())

    def test_neither_row_is_stored_without_the_other(self):
        taken, value = self.rows()
        self.pair.run(taken, value)
        wrong = self.rows(tree_index=None), self.rows(event_id=taken.event_id, tree_index=None)
        wrong[0][1].ciphertext = None
        for pair in wrong:
            with self.assertRaises(DatabaseError), transaction.atomic():
                self.pair.run(*pair)
            self.assertEqual((AuditEvent.objects.count(), AuditPii.objects.count()), (1, 1))

    def test_the_reference_holds(self):
        self.pair.run(*self.rows())
        connection.check_constraints()

    def test_the_orm_builds_it_once(self):
        compiler = SQLInsertCompiler
        with patch.object(compiler, "as_sql", autospec=True, side_effect=compiler.as_sql) as built:
            for _ in range(3):
                self.pair.run(*self.rows(tree_index=None))
        self.assertEqual(built.call_count, 2)
