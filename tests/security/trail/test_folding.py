"""What the database noted is told once and whole, proved like every other event, and says nothing personal."""

from unittest import mock

from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.test import TestCase
from django.utils import timezone

from accounts.identity.models import Company, User
from accounts.login.services import sign_in
from accounts.twofactor.models import RecoveryCode
from security.audit import Action, AuditEvent, record
from security.audit.leaf import MAX_LEAF_BYTES
from security.crypto.models import SubjectKey
from security.tlog import seal_pending, sealing, verify_log
from security.trail.models import AuditChange
from tests.factories import PASSWORD, asha, bilal, chitra
from tests.security.trail.trail import CHANGED, IS_POSTGRESQL, OUT_OF_BAND, TrailCase, run, unguarded_notes


class Sealed(TrailCase):
    """Told once, whole, and proved like every other event."""

    def test_many_rows_become_as_many_events_as_they_need_and_each_row_is_told_once(self):
        person = asha()
        self.forget()
        with transaction.atomic():
            RecoveryCode.objects.bulk_create(
                RecoveryCode(user=person, code_hash=number.to_bytes(32)) for number in range(1, 301)
            )
            record(Action.RECOVERY_CODES_REGENERATED, actor=person.subject)
        leaves = self.told(CHANGED)
        self.assertGreater(len(leaves), 3)
        rows = [change["id"] for leaf in leaves for change in leaf.data["changes"]]
        self.assertEqual((len(rows), len(set(rows))), (300, 300))
        self.assertTrue(all(len(leaf.encode()) <= MAX_LEAF_BYTES for leaf in leaves))
        self.assertEqual(verify_log().exit_code, 0)

    def test_more_rows_than_a_seal_takes_at_once_are_all_told(self):
        person = asha()
        self.forget()
        with transaction.atomic():
            record(Action.RECOVERY_CODES_REGENERATED, actor=person.subject)
            RecoveryCode.objects.bulk_create(
                RecoveryCode(user=person, code_hash=number.to_bytes(32)) for number in range(1, 26)
            )
        with mock.patch.object(sealing, "BATCH", 10):
            leaves = self.told(CHANGED)
        self.assertEqual(sum(len(leaf.data["changes"]) for leaf in leaves), 25)
        self.assertEqual(self.told(OUT_OF_BAND), [])

    def test_a_seal_that_ends_half_way_neither_loses_nor_doubles_it(self):
        person = asha()
        self.forget()
        User.objects.filter(pk=person.pk).update(token_version=2)
        with (
            mock.patch.object(sealing, "append_to_tree", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            seal_pending()
        self.assertEqual(AuditChange.objects.count(), 1)
        self.only(OUT_OF_BAND)
        self.assertEqual(verify_log().exit_code, 0)

    def test_no_row_that_was_noted_stops_a_seal(self):
        asha()
        self.forget()
        noted = {"tx": "1", "operation": "update", "at": timezone.now(), "row": "x" * 9000, "db_role": "\1" * 900}
        junk = {f"column {number}": "\1" * 900 for number in range(9)}
        with unguarded_notes():
            AuditChange.objects.create(table="accounts_user", old_values={"company": 7}, new_values={}, **noted)
            for table in ("accounts_legalhold", "watched_once"):
                AuditChange.objects.create(table=table, old_values={}, new_values=junk, **noted)
                AuditChange.objects.create(table=table, old_values={"a": 1.5, "b": 2**60, "c": []}, **noted)
        cut = [change.get("cut", False) for leaf in self.told(OUT_OF_BAND) for change in leaf.data["changes"]]
        self.assertEqual(cut, [False, True, False, True, False])

    def test_what_waits_for_its_event_cannot_be_taken_away(self):
        asha()
        for sql in ("DELETE FROM audit_change", "UPDATE audit_change SET row_key = ''"):
            with self.assertRaisesMessage(DatabaseError, "is append-only"):
                run(sql)

    def test_nothing_personal_and_no_secret_is_told(self):
        person = asha(email="asha.canary@lotus.example.in", phone="+919845077777")
        self.log_in(person)
        User.objects.filter(pk=person.pk).update(name="Canary Rao", email="canary@lotus.example.in")
        Company.objects.update(name="Canary Traders", email="canary.office@lotus.example.in")
        user = User.objects.get()
        secrets = ["canary", "9845077777", PASSWORD, "Asha Rao", user.password, str(user.pk), user.pk.hex]
        secrets += [str(user.company_id), user.company.gstin, user.company.pan]
        self.assertGreater(len(self.told(OUT_OF_BAND)), 3)
        leaves = b"\n".join(bytes(event.leaf) for event in AuditEvent.objects.all()).decode()
        self.assertIn("accounts_company", leaves)
        self.assertEqual([word for word in secrets if word.lower() in leaves.lower()], [])


class OfWhom(TrailCase):
    """What came past our services is found by whom and which company it is about, and read by that company's ADMIN."""

    def setUp(self):
        super().setUp()
        self.asha, self.chitra = asha(), chitra()
        self.bilal = bilal(company=self.asha.company)
        self.forget()

    def read(self, person: User) -> list[dict]:
        """The events of this kind that an ADMIN reads of their company."""
        token = self.log_in(person)["accessToken"]
        return self.get(f"/api/audit/events?action={OUT_OF_BAND}", token=token).json()["results"]

    def test_one_event_for_each_company(self):
        User.objects.update(token_version=7)
        told = {leaf.company: leaf for leaf in self.told(OUT_OF_BAND)}
        for target, *people in ((None, self.asha, self.bilal), (self.chitra.subject_id, self.chitra)):
            leaf = told.pop(people[0].company.subject_id)
            self.assertEqual({change["id"] for change in leaf.data["changes"]}, {str(p.subject_id) for p in people})
            self.assertEqual(leaf.target, target)
            self.assertEqual(self.read(people[0])[0]["id"], str(leaf.id))
        self.assertEqual(told, {})

    def test_who_was_taken_out_or_moved_was_of_their_company(self):
        User.objects.filter(pk=self.bilal.pk).update(company=self.chitra.company)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_user WHERE email = %s", [self.chitra.email])
        moved, deleted = self.told(OUT_OF_BAND)
        self.assertEqual((moved.target, moved.company), (self.bilal.subject_id, self.asha.company.subject_id))
        self.assertEqual((deleted.target, deleted.company), (self.chitra.subject_id, self.chitra.company.subject_id))

    def test_what_is_of_nobody_has_neither(self):
        Group.objects.create(name="Auditor")
        leaf = self.only(OUT_OF_BAND)
        self.assertEqual((leaf.target, leaf.company), (None, None))


class Costs(TestCase):
    """The trail costs an act no statement of its own."""

    def test_an_event_is_one_statement_as_before(self):
        key = SubjectKey.objects.issue()
        record(Action.SESSION_CREATED, actor=key)
        with self.assertNumQueries(1):
            record(Action.SESSION_CREATED, actor=key)

    def test_a_write_of_no_watched_column_fires_nothing(self):
        sign_in(user=asha(), amr="pwd")
        for columns, fires in (
            ("counter = 1, rotated_at = created_at, idle_until = created_at", False),
            ("amr = ''", True),
        ):
            with self.subTest(columns):
                self.assertEqual(self.fires(f"UPDATE accounts_session SET {columns}"), fires)
        self.assertFalse(self.fires("UPDATE accounts_user SET last_login = NULL"))
        self.assertFalse(self.fires("UPDATE subject_key SET kek_version = 2"))

    def fires(self, sql: str) -> bool:
        """Whether running `sql` runs a trigger, as the database explains it."""
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {'(ANALYZE)' if IS_POSTGRESQL else ''} {sql}")
            plan = cursor.fetchall()
        return any("_trail" in row[0] if IS_POSTGRESQL else row[1] == "Program" for row in plan)
