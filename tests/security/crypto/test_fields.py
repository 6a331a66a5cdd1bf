"""An encrypted column reads and writes as text, and is nothing but a sealed cell to everyone else."""

import copy
import itertools
import pickle
from datetime import UTC, datetime

from django.core import serializers
from django.db import connection, models
from django.test import TestCase

from accounts.identity.models import Company, User
from security.crypto import DecryptionFailed, EncryptedTextField, KeyDestroyed, SubjectKey
from security.crypto.fields import Sealed

COLUMNS = ("phone", "gstin", "pan")
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def a_company(**fields) -> Company:
    values = {"phone": "+919800000001", "gstin": "29QZXCK4821M1Z5", "pan": "QZXCK4821M"} | fields
    number = next(_numbers)
    return Company.objects.create(
        subject=SubjectKey.objects.issue(), name="Lotus", email=f"office{number}@lotus.example.in", **values
    )


def stored(company: Company, column: str) -> bytes:
    with connection.cursor() as cursor:
        key = Company._meta.pk.get_db_prep_value(company.pk, connection)
        cursor.execute(f"SELECT {column} FROM accounts_company WHERE id = %s", [key])
        return bytes(cursor.fetchone()[0])


def fresh(company: Company) -> Company:
    return Company.objects.get(pk=company.pk)


class ReadingAndWriting(TestCase):
    """The attribute behaves as a text column's would."""

    def test_given_when_the_row_is_made(self):
        company = Company(phone="+919800000001", name="Lotus")
        self.assertEqual((company.phone, company.pan), ("+919800000001", None))

    def test_survives_the_database(self):
        company = a_company(phone="ଫୋନ +91 98000 00001")
        self.assertEqual(fresh(company).phone, "ଫୋନ +91 98000 00001")
        self.assertEqual(company.phone, "ଫୋନ +91 98000 00001")

    def test_empty_text_is_not_none(self):
        company = a_company(phone="", pan=None)
        self.assertEqual((fresh(company).phone, fresh(company).pan), ("", None))

    def test_changed_and_cleared(self):
        company = fresh(a_company())
        company.phone, company.pan = "+919800000002", None
        company.save()
        self.assertEqual((fresh(company).phone, fresh(company).pan), ("+919800000002", None))

    def test_update_fields_saves_what_it_names_only(self):
        company = a_company()
        company.phone, company.pan = "+919800000002", "QZXPK4821M"
        company.save(update_fields=["phone"])
        self.assertEqual((fresh(company).phone, fresh(company).pan), ("+919800000002", "QZXCK4821M"))

    def test_refresh_drops_what_was_not_saved(self):
        company = a_company()
        company.phone = "+919800000002"
        company.refresh_from_db()
        self.assertEqual(company.phone, "+919800000001")

    def test_deferred_is_loaded_on_reading(self):
        company = a_company()
        for found in (Company.objects.defer("phone"), Company.objects.only("name", "subject")):
            one = found.get(pk=company.pk)
            self.assertIn("phone_sealed", one.get_deferred_fields())
            with self.assertNumQueries(1):
                self.assertEqual(one.phone, "+919800000001")

    def test_saving_with_deferred_columns_leaves_them(self):
        company = a_company()
        one = Company.objects.only("name", "subject").get(pk=company.pk)
        one.name = "Lotus and Sons"
        one.save()
        self.assertEqual((fresh(company).name, fresh(company).phone), ("Lotus and Sons", "+919800000001"))

    def test_bulk_create(self):
        subject = SubjectKey.objects.issue()
        Company.objects.bulk_create([Company(subject=subject, name="B", email="b@b.example.in", phone="1")])
        self.assertEqual(Company.objects.get(email="b@b.example.in").phone, "1")

    def test_saving_an_untouched_row_does_not_seal_anew(self):
        company = fresh(a_company())
        before = stored(company, "phone")
        company.save()
        self.assertEqual(stored(company, "phone"), before)

    def test_loading_and_refreshing_never_decrypt(self):
        company = a_company()
        company.subject.destroy(at=NOW)
        again = fresh(company)
        again.refresh_from_db()
        list(Company.objects.values_list("phone"))
        with self.assertRaises(KeyDestroyed):
            _ = again.phone

    def test_only_text_is_taken(self):
        for value in (7, b"bytes", ["x"], object()):
            with self.assertRaises(TypeError):
                Company(phone=value)

    def test_another_attribute_may_name_the_subject(self):
        field = EncryptedTextField(subject_attr="owner", null=True)
        _, path, _, kwargs = field.deconstruct()
        self.assertEqual(path, "security.crypto.fields.EncryptedTextField")
        self.assertEqual(kwargs, {"null": True, "subject_attr": "owner"})
        self.assertEqual(EncryptedTextField(**kwargs).subject_attr, "owner")
        self.assertNotIn("subject_attr", EncryptedTextField().deconstruct()[3])


class SwappedCells(TestCase):
    """A cell opens in its own row and column, under its own subject, and nowhere else."""

    def refused(self, company: Company, column: str) -> None:
        with self.assertRaises(DecryptionFailed) as caught:
            getattr(company, column)
        self.assertEqual(str(caught.exception), "sealed value refused")

    def move(self, company: Company, column: str, cell: bytes) -> Company:
        Company.objects.filter(pk=company.pk).update(**{column: Sealed(cell)})
        return fresh(company)

    def test_across_columns(self):
        company = a_company()
        cells = {column: stored(company, column) for column in COLUMNS}
        for source, target in itertools.permutations(COLUMNS, 2):
            self.refused(self.move(company, target, cells[source]), target)
            self.assertEqual(getattr(self.move(company, target, cells[target]), target), getattr(company, target))

    def test_across_rows(self):
        one, other = a_company(), a_company()
        for column in COLUMNS:
            self.refused(self.move(one, column, stored(other, column)), column)

    def test_across_rows_even_under_one_subject(self):
        subject = SubjectKey.objects.build()
        one, other = Company(subject=subject), Company(subject=subject)
        for column in COLUMNS:
            cell = Company._meta.get_field(column).seal("text", other)
            setattr(one, column, cell)
            self.refused(one, column)

    def test_across_tables(self):
        subject = SubjectKey.objects.build()
        company = Company(subject=subject)
        cell = Company._meta.get_field("phone").seal("1", company)
        person = User(subject=subject, id=company.pk, phone=cell)
        with self.assertRaises(DecryptionFailed):
            _ = person.phone

    def test_across_subjects(self):
        company = a_company()
        company.subject = SubjectKey.objects.issue()
        for column in COLUMNS:
            self.refused(company, column)

    def test_across_subjects_even_with_the_other_subjects_wrapped_key(self):
        company = a_company()
        thief = SubjectKey.objects.issue()
        thief.wrapped = company.subject.wrapped
        company.subject = thief
        for column in COLUMNS:
            self.refused(company, column)

    def test_a_copied_row_is_refused_before_it_is_stored(self):
        copied = fresh(a_company())
        copied.pk, copied.email = Company._meta.pk.get_default(), "copy@lotus.example.in"
        copied._state.adding = True
        with self.assertRaises(DecryptionFailed):
            copied.save(force_insert=True)


class ClosedDoors(TestCase):
    """No path of the ORM stores or compares a plain text."""

    def test_update_refuses_text(self):
        with self.assertRaises(TypeError):
            Company.objects.update(phone="+919800000002")

    def test_update_may_clear(self):
        company = a_company()
        Company.objects.update(phone=None)
        self.assertIsNone(fresh(company).phone)

    def test_filter_refuses_text(self):
        for lookup in (
            "phone",
            "phone__exact",
            "phone__in",
            "phone__contains",
            "phone__startswith",
            "phone__gt",
        ):
            with self.assertRaises(TypeError, msg=lookup):
                Company.objects.filter(**{lookup: "+91"}).exists()

    def test_filter_may_ask_whether_there_is_one(self):
        a_company(phone=None)
        self.assertEqual(Company.objects.filter(phone__isnull=True).count(), 1)
        self.assertEqual(Company.objects.filter(phone=None).count(), 1)
        self.assertEqual(Company.objects.exclude(phone=None).count(), 0)

    def test_bulk_update_refuses_an_assigned_text(self):
        company = a_company()
        company.phone = "+919800000002"
        with self.assertRaises(TypeError):
            Company.objects.bulk_update([company], ["phone"])

    def test_get_or_create_refuses_to_search_by_text(self):
        with self.assertRaises(TypeError):
            Company.objects.get_or_create(phone="+919800000002")

    def test_an_erased_subject_takes_no_new_text(self):
        company = a_company()
        company.subject.destroy(at=NOW)
        company.phone = "+919800000002"
        with self.assertRaises(KeyDestroyed):
            company.save()

    def test_a_row_without_id_cannot_seal(self):
        with self.assertRaises(TypeError):
            Company._meta.get_field("phone").seal("1", Company(id=None, subject=SubjectKey.objects.build()))


class Privacy(TestCase):
    """The text is in no dump, pickle, list or debug page."""

    CANARY = "+919876543210"

    def test_the_table_holds_no_plaintext(self):
        company = a_company(phone=self.CANARY)
        self.assertNotIn(self.CANARY.encode(), stored(company, "phone"))

    def test_value_lists_hold_sealed_cells(self):
        a_company(phone=self.CANARY)
        (cell,) = Company.objects.values_list("phone", flat=True)
        self.assertEqual((repr(cell), str(cell), f"{cell}"), ("<sealed>",) * 3)
        self.assertEqual(list(Company.objects.values("phone")), [{"phone": cell}])

    def test_debug_pages_show_the_attributes_of_a_row(self):
        self.assertNotIn(self.CANARY, repr(vars(a_company(phone=self.CANARY))))
        self.assertNotIn(self.CANARY, repr(vars(Company(phone=self.CANARY))))

    def test_pickles_of_loaded_rows(self):
        company = fresh(a_company(phone=self.CANARY))
        company.phone.encode()  # it was read
        pickled = pickle.dumps(company)
        self.assertNotIn(self.CANARY.encode(), pickled)
        self.assertEqual(pickle.loads(pickled).phone, self.CANARY)
        self.assertEqual(copy.deepcopy(company).phone, self.CANARY)

    def test_dumps_carry_the_cell_and_load_again(self):
        company = a_company(phone=self.CANARY, pan=None)
        unsaved = fresh(company)
        unsaved.gstin = self.CANARY
        for format_ in ("json", "xml", "python"):
            text = serializers.serialize(format_, [unsaved])
            self.assertNotIn(self.CANARY, str(text))
            (loaded,) = serializers.deserialize(format_, text)
            loaded.save()
            self.assertEqual(
                (fresh(company).phone, fresh(company).pan, fresh(company).gstin),
                (self.CANARY, None, self.CANARY),
            )

    def test_forms_leave_it_out(self):
        self.assertFalse(Company._meta.get_field("phone").editable)

    def test_full_clean_keeps_cells_and_assigned_texts(self):
        company = fresh(a_company())
        company.pan = "QZXPK4821M"
        company.full_clean()
        self.assertEqual((company.phone, company.pan), ("+919800000001", "QZXPK4821M"))


class Schema(TestCase):
    """The column is a plain binary one under the field's name, so migrations and raw SQL see nothing odd."""

    def test_column(self):
        field = Company._meta.get_field("phone")
        self.assertIsInstance(field, models.BinaryField)
        self.assertEqual((field.column, field.attname), ("phone", "phone_sealed"))
        self.assertEqual(field.db_type(connection), models.BinaryField().db_type(connection))
