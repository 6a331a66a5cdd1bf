"""Statements compiled once, beside what the ORM does with the same models."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.db.models import F
from django.db.models.expressions import RawSQL
from django.db.models.functions import Least
from django.db.models.sql.compiler import SQLCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from security.audit import Action, AuditEvent, AuditPii, record
from security.audit.models import UnidentifiedSubject
from security.crypto import SubjectKey
from security.statements import Insert, InsertPair, Parameter, Select, Update, UpdateAndRead, planned_for_its_values
from security.trail import maintenance
from tests.security.audit.examples import AuditCase

NOON = datetime(2026, 11, 24, 6, 30, 0, 123456, tzinfo=UTC)
COLUMNS = ("id", "wrapped", "kek_version", "created_at", "destroyed_at")
ID = Parameter("id", models.UUIDField())


def a_read() -> Select:
    return Select(lambda: SubjectKey.objects.filter(pk=ID).values_list(*COLUMNS))


def an_update() -> Update:
    return Update(
        lambda: SubjectKey.objects.filter(pk=ID, created_at__gt=Parameter("since", models.DateTimeField())),
        kek_version=F("kek_version") + 1,
        created_at=Least(Parameter("since", models.DateTimeField()), F("created_at")),
    )


class ASelect(TestCase):
    """A compiled read answers with the ORM's rows, in the ORM's types."""

    def test_the_row_is_the_orms(self):
        key = SubjectKey.objects.issue()
        theirs = SubjectKey.objects.values_list(*COLUMNS).get(pk=key.pk)
        ours = a_read().first(id=key.pk)
        self.assertEqual(ours, theirs)
        self.assertEqual([type(value) for value in ours], [type(value) for value in theirs])

    def test_all_rows_are_the_orms(self):
        keys = [SubjectKey.objects.issue().pk for _ in range(3)]
        read = Select(lambda: SubjectKey.objects.filter(pk__gte=ID).order_by("pk").values_list(*COLUMNS))
        theirs = list(SubjectKey.objects.filter(pk__gte=min(keys)).order_by("pk").values_list(*COLUMNS))
        self.assertEqual(read.all(id=min(keys)), theirs)

    def test_no_row_is_none(self):
        self.assertIsNone(a_read().first(id=uuid4()))
        self.assertEqual(a_read().all(id=uuid4()), [])

    def test_each_run_has_its_own_values(self):
        read, keys = a_read(), [SubjectKey.objects.issue() for _ in range(3)]
        self.assertEqual([read.first(id=key.pk)[0] for key in keys], [key.pk for key in keys])

    def test_a_missing_value_is_an_error(self):
        with self.assertRaises(KeyError):
            a_read().first()

    def test_the_orm_builds_it_once(self):
        read = a_read()
        with patch.object(SQLCompiler, "as_sql", autospec=True, side_effect=SQLCompiler.as_sql) as built:
            for _ in range(3):
                read.first(id=uuid4())
        self.assertEqual(built.call_count, 1)

    @pytest.mark.skipif(connection.vendor == "postgresql", reason="The driver reads the placeholders itself")
    def test_sqlite_is_sent_one_translation(self):
        read, django = a_read(), SQLiteCursorWrapper
        translate = django.convert_query
        with patch.object(django, "convert_query", autospec=True, side_effect=translate) as translated:
            for _ in range(3):
                self.assertIsNone(read.first(using="default", id=uuid4()))
        self.assertEqual(translated.call_count, 1)

    def test_a_percent_sign_of_the_statement_is_one(self):
        key = SubjectKey.objects.issue()
        marked = SubjectKey.objects.annotate(mark=RawSQL("'5 %%s'", (), output_field=models.TextField()))
        read = Select(lambda: marked.filter(pk=ID).values_list("pk", "mark"))
        self.assertEqual(read.first(using="default", id=key.pk), (key.pk, "5 %s"))


class AnUpdate(TestCase):
    """A compiled update changes what the ORM's changes."""

    def values(self, key):
        return SubjectKey.objects.values_list(*COLUMNS[1:]).get(pk=key.pk)

    def test_the_row_becomes_what_the_orm_makes_of_its_twin(self):
        for since in (NOON - timedelta(days=1), NOON + timedelta(days=1)):
            with self.subTest(since):
                ours, twin = SubjectKey.objects.issue(), SubjectKey.objects.issue()
                SubjectKey.objects.filter(pk__in=[ours.pk, twin.pk]).update(created_at=NOON, wrapped=b"w" * 40)
                counts = (
                    an_update().run(id=ours.pk, since=since),
                    SubjectKey.objects.filter(pk=twin.pk, created_at__gt=since).update(
                        kek_version=F("kek_version") + 1, created_at=Least(since, F("created_at"))
                    ),
                )
                self.assertEqual(counts[0], counts[1])
                self.assertEqual(self.values(ours), self.values(twin))

    def test_neighbours_are_not_touched(self):
        ours, neighbour = SubjectKey.objects.issue(), SubjectKey.objects.issue()
        before = self.values(neighbour)
        self.assertEqual(an_update().run(id=ours.pk, since=NOON - timedelta(days=999)), 1)
        self.assertEqual(self.values(neighbour), before)

    def test_the_orm_builds_it_once(self):
        update = an_update()
        compiler = SQLUpdateCompiler
        with patch.object(compiler, "as_sql", autospec=True, side_effect=compiler.as_sql) as built:
            for _ in range(3):
                update.run(id=uuid4(), since=NOON)
        self.assertEqual(built.call_count, 1)


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
        Insert(AuditPii).run(pii, using="default")
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


class AnUpdateAndRead(TestCase):
    """One round trip does what the two do, and reads the row as it was before."""

    def setUp(self):
        self.both = UpdateAndRead(an_update(), a_read())
        self.key = SubjectKey.objects.issue()
        self.before = SubjectKey.objects.values_list(*COLUMNS).get(pk=self.key.pk)

    def run_both(self, **values):
        return self.both.run(**{"id": self.key.pk, "since": NOON - timedelta(days=400)} | values)

    def test_it_changes_the_row_and_answers_with_the_one_before(self):
        since = self.key.created_at - timedelta(seconds=1)
        self.assertEqual(self.run_both(since=since), (1, self.before))
        after = SubjectKey.objects.get(pk=self.key.pk)
        self.assertEqual((after.kek_version, after.created_at), (self.key.kek_version + 1, since))

    def test_it_reads_what_it_may_not_change(self):
        self.assertEqual(self.run_both(since=self.key.created_at), (0, self.before))
        self.assertEqual(SubjectKey.objects.values_list(*COLUMNS).get(pk=self.key.pk), self.before)

    def test_no_row_is_none(self):
        self.assertEqual(self.run_both(id=uuid4()), (0, None))

    def test_postgresql_is_asked_once(self):
        with self.assertNumQueries(1 if connection.vendor == "postgresql" else 2):
            self.run_both()

    def test_a_missing_value_is_an_error(self):
        with self.assertRaises(KeyError):
            self.both.run(id=self.key.pk)


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


@pytest.mark.real
class PlannedForItsValues(TestCase):
    """What is prepared elsewhere is planned anew here, and only here."""

    def prepared(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%% AS of_this_test%%'")
            return cursor.fetchone()[0]

    def ask(self) -> None:
        with connection.cursor() as cursor:
            for number in range(8):
                cursor.execute("SELECT %s::int AS of_this_test", [number])

    def test_nothing_is_prepared_while_it_lasts(self):
        with planned_for_its_values():
            self.ask()
        self.assertEqual(self.prepared(), 0)
        self.ask()
        self.assertEqual(self.prepared(), 1)

    def test_an_error_ends_it_too(self):
        with self.assertRaises(ValueError), planned_for_its_values():
            raise ValueError
        self.ask()
        self.assertEqual(self.prepared(), 1)
