"""A personal value that is gone is no finding where an erasure took it, and one where nobody was erased."""

from dataclasses import replace
from datetime import timedelta

import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from security.audit import Action, AuditEvent, AuditPii, UnidentifiedSubject, erase_personal_values, record
from security.audit.leaf import leaf_hash, members_of
from security.context import bind
from security.crypto.models import SubjectKey
from security.tlog import Report, seal_pending
from security.tlog.openings import Committed, Openings
from tests.security.audit.examples import REQUEST
from tests.security.tlog.log import Intruder, SealedLog


class Erased(SealedLog):
    def recorded(self, **about) -> AuditEvent:
        with bind(REQUEST):
            event = record(Action.AUDIT_EVENT_DISCLOSED, pii={"reason": "Asha asked"}, **about)
        seal_pending()
        event.refresh_from_db()
        return event

    def erase(self, subject: SubjectKey, **data) -> None:
        self.take_key(subject)
        record(Action.SUBJECT_ERASED, target=subject, data=data)

    def take_key(self, subject: SubjectKey) -> None:
        """As an erasure does, without a word in the log."""
        erase_personal_values(subject=subject)
        subject.destroy(at=timezone.now())

    def take(self, event: AuditEvent, *fields: str) -> None:
        self.assertEqual(AuditPii.objects.filter(event=event, field__in=fields).delete()[0], len(fields))

    def test_what_goes_with_the_person_who_acted(self):
        bilal = SubjectKey.objects.issue()
        self.recorded(actor=bilal, target=self.asha)
        self.erase(bilal)
        self.assertEqual(self.found(), {})

    def test_what_goes_with_the_person_it_is_about(self):
        bilal = SubjectKey.objects.issue()
        event = self.recorded(actor=self.asha, target=bilal)
        self.take(event, "reason")
        self.assertEqual(self.found().keys(), {"personal_value_missing"})
        self.erase(bilal)
        self.assertEqual(self.found(), {})
        self.take(event, "address")  # of who acted, and theirs to lose
        self.assertEqual(self.found().keys(), {"personal_value_missing"})

    def test_what_somebody_holds_to_whom_it_was_done(self):
        bilal = SubjectKey.objects.issue()
        self.take(self.recorded(target=bilal), "reason", "address")
        self.assertEqual(self.found().keys(), {"personal_value_missing"})
        self.erase(bilal)
        self.assertEqual(self.found(), {})

    def test_what_goes_with_the_key_that_a_hold_had_kept(self):
        bilal = SubjectKey.objects.issue()
        self.recorded(actor=bilal)
        self.take_key(bilal)
        record(Action.SUBJECT_ERASED, target=bilal, data={"kept_under": ["a hold"]})
        self.assertEqual(self.found().keys(), {"personal_value_missing"})
        record(Action.SUBJECT_KEY_DESTROYED, target=bilal)
        self.assertEqual(self.found(), {})

    def test_a_key_that_is_gone_is_no_erasure(self):
        bilal = SubjectKey.objects.issue()
        self.recorded(actor=bilal)
        values = list(AuditPii.objects.filter(subject=bilal.pk))
        self.take_key(bilal)
        for kept in ([], values):
            AuditPii.objects.bulk_create(kept)
            self.assertEqual(self.found().keys(), {"personal_value_missing"})

    def test_an_erasure_counts_once_it_is_recorded_and_ever_after(self):
        bilal = SubjectKey.objects.issue()
        self.recorded(actor=bilal)
        self.erase(bilal)
        self.assertEqual(self.found(), {})
        seal_pending()
        self.assertEqual(self.found(), {})

    def test_an_erasure_that_this_installation_did_not_record_took_nothing(self):
        for is_sealed in (False, True):
            bilal = SubjectKey.objects.issue()
            event = self.recorded(actor=bilal)
            self.erase(bilal)
            if is_sealed:
                seal_pending()
            with self.subTest(is_sealed=is_sealed), transaction.atomic():
                erasure = AuditEvent.objects.filter(type="subject.erased").latest("id")
                leaf = replace(erasure.parsed_leaf(), outcome="refused").encode()
                Intruder().run(
                    "UPDATE audit_event SET leaf = %s, leaf_hash = %s WHERE id = %s", leaf, leaf_hash(leaf), erasure.pk
                )
                self.assertEqual(self.found()["personal_value_missing"], event.tree_index)
                transaction.set_rollback(True)

    def test_what_the_next_event_says_is_not_gone_with_an_erasure_of_before(self):
        bilal = SubjectKey.objects.issue()
        self.erase(bilal)
        with time_machine.travel(timezone.now() + timedelta(minutes=11)):
            event = self.recorded(target=bilal)
        self.take(event, "reason")
        self.assertEqual(self.found().keys(), {"personal_value_missing"})

    def test_a_stranger_is_never_erased(self):
        self.recorded()
        month = UnidentifiedSubject.objects.get().subject
        SubjectKey.objects.filter(pk=month.pk).update(created_at=timezone.now())
        self.assertEqual(self.found(), {})
        self.take_key(month)
        self.assertEqual(self.found().keys(), {"personal_value_missing"})

    def test_however_many_values_went_with_somebody_the_log_is_asked_once(self):
        people = [SubjectKey.objects.issue() for _ in range(3)]
        for person in people:
            self.recorded(actor=person)
        for person in people:
            self.erase(person)
        with CaptureQueriesContext(connection) as queries:
            self.verify()
        self.assertEqual(len([one for one in queries if "subject.erased" in one["sql"]]), 1)

    def test_an_event_that_is_pruned_while_it_is_verified_has_lost_nothing(self):
        event = AuditEvent.objects.latest("id")
        told = members_of(bytes(event.leaf))
        for row_id, kinds in ((event.pk + 1, []), (event.pk, ["personal_value_missing"])):
            AuditPii.objects.filter(event=event).delete()
            report, openings = Report(), Openings()
            openings.check(report, Committed(row_id, event.tree_index, event.address_index, told))
            openings.check_gone(report)
            self.assertEqual([fault.kind.value for fault in report.faults], kinds)
