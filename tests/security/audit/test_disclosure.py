"""Personal values of events: opened while their person's key lives, gone with it; the event stays."""

import threading
from datetime import UTC, datetime
from unittest import mock

import time_machine
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase

from security.audit import (
    Action,
    AuditEvent,
    AuditPii,
    UnidentifiedSubject,
    disclosed_values,
    erase_personal_values,
    record,
    record_refusal,
)
from security.audit.disclosure import seal_value
from security.audit.leaf import leaf_hash
from security.audit.unidentified import forget_known_subjects
from security.context import bind
from security.crypto.aead import DecryptionFailed
from security.crypto.models import SubjectKey
from security.trail import maintenance
from tests.security.audit.examples import ADDRESS, REQUEST, AuditCase

BILALS = {"email": "bilal@example.in", "name": "Bilal"}


class Disclosure(AuditCase):
    """A value is shown only when the leaf proves it is the one recorded."""

    def test_values_open_and_prove_themselves(self):
        event = record(Action.PROFILE_UPDATED, actor=self.asha, target=self.bilal, pii=BILALS)
        self.assertEqual(disclosed_values(event=event), BILALS | {"address": ADDRESS})

    def test_they_lie_under_the_actors_key_else_the_targets_else_the_months(self):
        for fields, holder in (
            ({"actor": self.asha, "target": self.bilal}, self.asha.pk),
            ({"target": self.bilal}, self.bilal.pk),
            ({"company": self.company}, None),
        ):
            event = record(Action.SESSION_CREATED, **fields)
            expected = holder or UnidentifiedSubject.objects.get().subject_id
            with self.subTest(holder=holder):
                self.assertEqual(event.pii.get().subject, expected)

    def test_an_erased_actor_passes_the_values_to_the_target(self):
        self.asha.destroyed_at = datetime.now(UTC)
        event = record(Action.SUBJECT_ERASED, actor=self.asha, target=self.bilal)
        self.assertEqual(event.pii.get().subject, self.bilal.pk)

    def test_a_value_moved_to_another_event_does_not_open(self):
        ours = record(Action.SESSION_CREATED, actor=self.asha)
        other = record(Action.SESSION_CREATED, actor=self.asha)
        with maintenance():
            AuditPii.objects.filter(event=ours).update(ciphertext=other.pii.get().ciphertext)
        # The cipher itself refuses it, not only the comparison with the leaf.
        self.enterContext(mock.patch("security.audit.disclosure.is_opened_by", return_value=True))
        with self.assertRaises(DecryptionFailed):
            disclosed_values(event=ours)

    def test_a_value_the_leaf_does_not_commit_to_is_not_shown(self):
        event = record(Action.SESSION_CREATED, actor=self.asha)
        forged = seal_value(
            event_id=event.event_id, field="address", salt=bytes(16), value="198.51.100.1", subject=self.asha
        )
        with maintenance():
            AuditPii.objects.filter(event=event).update(ciphertext=forged)
        with self.assertRaises(DecryptionFailed):
            disclosed_values(event=event)


class Erasure(AuditCase):
    """Erasing a person takes their values and leaves the log whole."""

    def test_rows_and_searchable_address_go_and_the_hash_stays(self):
        event = record(Action.SESSION_CREATED, actor=self.bilal, pii=BILALS)
        self.assertEqual(erase_personal_values(subject=self.bilal), 3)
        again = AuditEvent.objects.get(pk=event.pk)
        self.assertEqual(disclosed_values(event=again), {})
        self.assertIsNone(again.address_index)
        self.assertEqual(bytes(again.leaf_hash), leaf_hash(bytes(again.leaf)))
        self.assertEqual(bytes(again.leaf), event.leaf)
        self.assertEqual(set(again.parsed_leaf().pii), {"address", "email", "name"})

    def test_the_neighbour_keeps_theirs(self):
        record(Action.SESSION_CREATED, actor=self.bilal)
        ashas = record(Action.SESSION_CREATED, actor=self.asha)
        erase_personal_values(subject=self.bilal)
        ashas = AuditEvent.objects.get(pk=ashas.pk)
        self.assertEqual(disclosed_values(event=ashas), {"address": ADDRESS})
        self.assertIsNotNone(ashas.address_index)

    def test_it_may_run_twice(self):
        record(Action.SESSION_CREATED, actor=self.bilal)
        erase_personal_values(subject=self.bilal)
        self.assertEqual(erase_personal_values(subject=self.bilal), 0)


class UnidentifiedMonths(TransactionTestCase):
    """Events that name nobody keep the address under a key of their calendar month (UTC)."""

    def setUp(self):
        forget_known_subjects()
        self.enterContext(bind(REQUEST))

    def test_one_subject_a_month(self):
        for moment in ("2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z", "2026-11-30T12:00:00Z"):
            with time_machine.travel(moment, tick=False):
                record_refusal(Action.SESSION_CREATE_REFUSED)
        self.assertEqual(
            list(UnidentifiedSubject.objects.order_by("month").values_list("month", flat=True)),
            ["2026-10", "2026-11"],
        )
        self.assertEqual(AuditPii.objects.values("subject").distinct().count(), 2)

    def test_a_month_is_erased_alone(self):
        with time_machine.travel("2026-10-05T00:00:00Z", tick=False):
            october = record_refusal(Action.SESSION_CREATE_REFUSED)
        with time_machine.travel("2026-11-05T00:00:00Z", tick=False):
            november = record_refusal(Action.SESSION_CREATE_REFUSED)
        erase_personal_values(subject=UnidentifiedSubject.objects.get(month="2026-10").subject)
        self.assertEqual(disclosed_values(event=october), {})
        self.assertEqual(disclosed_values(event=november), {"address": ADDRESS})

    def test_a_month_whose_first_event_was_rolled_back_is_made_anew(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            record(Action.SESSION_CREATE_REFUSED)
            raise ZeroDivisionError
        event = record_refusal(Action.SESSION_CREATE_REFUSED)
        self.assertEqual(disclosed_values(event=event), {"address": ADDRESS})

    def test_whoever_comes_second_uses_the_first_ones_key(self):
        record_refusal(Action.SESSION_CREATE_REFUSED)
        forget_known_subjects()  # as another process, which knows no month yet
        record_refusal(Action.SESSION_CREATE_REFUSED)
        self.assertEqual(AuditPii.objects.values("subject").distinct().count(), 1)
        self.assertEqual(SubjectKey.objects.count(), 1)

    def test_those_who_come_at_once_share_one_key(self):
        barrier, errors = threading.Barrier(8), []

        def refuse():
            try:
                with bind(REQUEST):
                    barrier.wait(timeout=30)
                    record_refusal(Action.SESSION_CREATE_REFUSED)
            except Exception as error:  # noqa: BLE001 - a thread's error must reach the test
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=refuse) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        self.assertEqual(errors, [])
        self.assertEqual((AuditEvent.objects.count(), SubjectKey.objects.count()), (8, 1))
        for event in AuditEvent.objects.all():
            self.assertEqual(disclosed_values(event=event), {"address": ADDRESS})

    def test_after_the_running_month_was_erased_a_new_key_serves(self):
        before = record_refusal(Action.SESSION_CREATE_REFUSED)
        subject = UnidentifiedSubject.objects.get().subject
        erase_personal_values(subject=subject)
        subject.destroy(at=datetime.now(UTC))
        forget_known_subjects()
        after = record_refusal(Action.SESSION_CREATE_REFUSED)
        self.assertEqual((disclosed_values(event=before), disclosed_values(event=after)), ({}, {"address": ADDRESS}))

    def test_an_emptied_database_is_noticed(self):
        record_refusal(Action.SESSION_CREATE_REFUSED)
        call_command("flush", interactive=False, verbosity=0)
        self.assertEqual(disclosed_values(event=record_refusal(Action.PERMISSION_DENIED)), {"address": ADDRESS})
