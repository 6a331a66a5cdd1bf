"""Statements compiled once, beside what the ORM does with the same models."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection, models
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.db.models import F
from django.db.models.expressions import RawSQL
from django.db.models.functions import Least
from django.db.models.sql.compiler import SQLCompiler, SQLUpdateCompiler
from django.test import TestCase

from security.crypto import SubjectKey
from security.statements import Parameter, Select, Update, UpdateAndRead, planned_for_its_values

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
                self.assertIsNone(read.first(id=uuid4()))
        self.assertEqual(translated.call_count, 1)

    def test_a_percent_sign_of_the_statement_is_one(self):
        key = SubjectKey.objects.issue()
        marked = SubjectKey.objects.annotate(mark=RawSQL("'5 %%s'", (), output_field=models.TextField()))
        read = Select(lambda: marked.filter(pk=ID).values_list("pk", "mark"))
        self.assertEqual(read.first(id=key.pk), (key.pk, "5 %s"))


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
