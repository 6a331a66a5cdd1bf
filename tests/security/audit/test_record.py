"""Recording: the event stands or falls with the act it tells of, and holds nobody's data in clear."""

import sys
import uuid
from unittest import mock

from django.db import DatabaseError, connection, transaction
from django.test import SimpleTestCase, TransactionTestCase

from security.audit import (
    Action,
    AuditEvent,
    AuditIsAppendOnly,
    AuditOutsideTransaction,
    AuditPii,
    Outcome,
    event_recorded,
    record,
    record_refusal,
)
from security.audit.addresses import index_address
from security.audit.leaf import LeafRefused, leaf_hash, window_mac
from security.audit.unidentified import forget_known_subjects
from security.context import Client, RequestContext, bind
from security.crypto.blind_index import blind_index
from security.crypto.keyring import KeyRing, generate, keyring
from security.crypto.models import SubjectKey
from tests.security.audit.examples import ADDRESS, REQUEST, AuditCase


class EventContent(AuditCase):
    """The leaf is the truth; every column for search repeats it."""

    def record_full(self) -> AuditEvent:
        session = uuid.uuid4()
        event = record(
            Action.PROFILE_UPDATED,
            actor=self.asha,
            target=self.bilal,
            company=self.company,
            outcome=Outcome.FAILED,
            session_id=session,
            data={"fields": ["phone"]},
            pii={"email": "bilal@example.in", "phone": "+919876543210"},
        )
        return AuditEvent.objects.get(pk=event.pk)

    def test_columns_equal_the_leaf(self):
        event = self.record_full()
        leaf = event.parsed_leaf()
        for column in ("type", "audit_class", "outcome", "occurred_at", "actor", "target", "company"):
            with self.subTest(column=column):
                self.assertEqual(getattr(event, column), getattr(leaf, column))
        self.assertEqual(event.event_id, leaf.id)
        self.assertEqual((event.session_id, event.request_id), (leaf.session_id, leaf.request_id))

    def test_it_says_who_did_what_to_whom_in_which_request(self):
        leaf = self.record_full().parsed_leaf()
        self.assertEqual((leaf.actor, leaf.target, leaf.company), (self.asha.pk, self.bilal.pk, self.company.pk))
        self.assertEqual((leaf.type, leaf.audit_class, leaf.outcome), ("profile.updated", "account", "failed"))
        self.assertEqual((leaf.request_id, leaf.id.version), ("req-audit-1", 7))
        self.assertEqual(leaf.data, {"fields": ["phone"], "agent": "Firefox"})

    def test_no_address_e_mail_phone_or_browser_string_is_in_the_row(self):
        event = self.record_full()
        cells = b"|".join(str(v).encode() if not isinstance(v, bytes) else v for v in vars(event).values())
        pii = b"|".join(bytes(row.ciphertext) for row in event.pii.all())
        for canary in (ADDRESS, "bilal@", "example.in", "9876543210", "Gecko", "Mozilla"):
            with self.subTest(canary=canary):
                self.assertNotIn(canary.encode(), cells + pii)

    def test_hash_and_mac_are_those_of_the_leaf(self):
        event = self.record_full()
        self.assertEqual(bytes(event.leaf_hash), leaf_hash(bytes(event.leaf)))
        key = keyring().active("audit_mac")
        node = event.parsed_leaf().node
        self.assertEqual(bytes(event.mac), window_mac(key=key.secret, digest=bytes(event.leaf_hash), node=node))
        self.assertEqual((event.mac_key, event.tree_index), (key.id, None))

    def test_events_of_one_address_are_found_by_its_keyed_index(self):
        event = self.record_full()
        index = blind_index(table="audit_event", column="address", value=ADDRESS)
        self.assertEqual(list(AuditEvent.objects.filter(address_index=index)), [event])

    def test_no_column_may_be_left_out(self):
        columns = {field.attname: None for field in AuditEvent._meta.concrete_fields}
        self.assertIsNone(AuditEvent.of_columns(**columns).leaf)
        del columns["leaf"]
        with self.assertRaises(KeyError):
            AuditEvent.of_columns(**columns)

    def test_the_index_is_under_the_key_that_it_names_though_the_ring_changes_meanwhile(self):
        event, seen, next_one = AuditEvent(), KeyRing.parse(generate()), KeyRing.parse(generate())
        module = sys.modules[blind_index.__module__]  # the package has the function under its name
        with mock.patch.object(module, "keyring", side_effect=[seen, next_one]):
            index_address(event, ADDRESS)
        with mock.patch.object(module, "keyring", return_value=seen):
            index = blind_index(table="audit_event", column="address", value=ADDRESS)
        self.assertEqual((event.address_index, event.address_key), (index, seen.active("index").id))

    def test_the_outcome_is_the_actions_own_unless_said(self):
        self.assertEqual(record(Action.SESSION_CREATE_REFUSED, target=self.asha).outcome, "refused")

    def test_a_job_without_a_request_leaves_no_address(self):
        with bind(RequestContext(request_id="", client=Client(address="", user_agent=""))):
            event = record(Action.KEYS_CREATED, data={"uses": ["jwt"]})
        self.assertIsNone(event.address_index)
        self.assertEqual((event.parsed_leaf().pii, event.parsed_leaf().data), ({}, {"uses": ["jwt"]}))
        self.assertEqual(AuditPii.objects.count(), 0)

    def test_the_request_alone_says_address_and_program(self):
        with self.assertRaises(ValueError):
            record(Action.SESSION_CREATED, actor=self.asha, pii={"address": "198.51.100.1"})
        with self.assertRaises(ValueError):
            record(Action.SESSION_CREATED, actor=self.asha, data={"agent": "Netscape"})

    def test_what_has_no_canonical_form_is_refused(self):
        for wrong in ({"data": {"score": 0.5}}, {"pii": {"name": b"x"}}, {"data": {"x": "a" * 9000}}):
            with self.subTest(wrong=list(wrong)), self.assertRaises(LeafRefused):
                record(Action.PROFILE_UPDATED, actor=self.asha, **wrong)


class EventCost(AuditCase):
    """An event costs one INSERT, each personal value one more; on PostgreSQL the first value costs none."""

    spared = 1 if connection.vendor == "postgresql" else 0

    def test_with_an_address_two_statements_or_one(self):
        with self.assertNumQueries(2 - self.spared):
            record(Action.SESSION_CREATED, actor=self.asha)

    def test_with_two_more_values_four_or_three(self):
        with self.assertNumQueries(4 - self.spared):
            record(Action.SESSION_CREATED, actor=self.asha, pii={"email": "a@example.in", "name": "Asha"})

    def test_outside_a_request_one(self):
        with (
            bind(RequestContext(request_id="", client=Client(address="", user_agent=""))),
            self.assertNumQueries(1),
        ):
            record(Action.KEYS_CREATED)

    def test_for_nobody_in_particular_a_read_until_the_month_is_known(self):
        with self.captureOnCommitCallbacks(execute=True):
            record(Action.SESSION_CREATE_REFUSED)
        with self.assertNumQueries(2 - self.spared):
            record(Action.SESSION_CREATE_REFUSED)


class AppendOnly(AuditCase):
    """A recorded event is never changed or deleted by the application."""

    def test_an_event_is_not_saved_again_or_deleted(self):
        event = record(Action.SESSION_CREATED, actor=self.asha)
        for act in (event.save, event.delete, AuditEvent.objects.get(pk=event.pk).save):
            with self.assertRaises(AuditIsAppendOnly):
                act()

    def test_nor_in_bulk(self):
        record(Action.SESSION_CREATED, actor=self.asha)
        with self.assertRaises(AuditIsAppendOnly):
            AuditEvent.objects.update(outcome="refused")
        with self.assertRaises(AuditIsAppendOnly):
            AuditEvent.objects.filter(type="session.created").delete()
        with self.assertRaises(AuditIsAppendOnly):
            AuditEvent.objects.bulk_update([], ["outcome"])
        self.assertEqual(AuditEvent.objects.get().outcome, "success")


class Announcement(AuditCase):
    """Others learn of an event once it is committed, and cannot undo it."""

    def listen(self, receiver):
        event_recorded.connect(receiver)
        self.addCleanup(event_recorded.disconnect, receiver)

    def test_listeners_and_the_log_hear_of_it_on_commit(self):
        heard = []

        def receiver(event, **_):
            heard.append(event)

        self.listen(receiver)
        with self.assertLogs("security.audit", "INFO") as logs, self.captureOnCommitCallbacks(execute=True):
            event = record(Action.SESSION_CREATED, actor=self.asha)
            self.assertEqual(heard, [])
        self.assertEqual(heard, [event])
        (line,) = logs.records
        self.assertEqual(
            (line.getMessage(), line.type, line.outcome, line.event_id, line.leaf_hash),
            ("audit_event", "session.created", "success", str(event.event_id), event.leaf_hash.hex()),
        )

    def test_a_failing_listener_harms_nobody(self):
        def receiver(event, **_):
            raise RuntimeError("metrics are down")

        self.listen(receiver)
        with self.assertLogs("django.dispatch", "ERROR"), self.captureOnCommitCallbacks(execute=True):
            record(Action.SESSION_CREATED, actor=self.asha)
        self.assertEqual(AuditEvent.objects.count(), 1)


class OneTransaction(TransactionTestCase):
    """Act and event are one transaction: neither exists without the other."""

    def setUp(self):
        forget_known_subjects()
        self.enterContext(bind(REQUEST))

    def test_outside_a_transaction_nothing_is_recorded(self):
        with self.assertRaises(AuditOutsideTransaction):
            record(Action.SESSION_CREATED)
        self.assertEqual(AuditEvent.objects.count(), 0)

    def test_the_event_rolls_back_with_the_act(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            record(Action.SESSION_CREATE_REFUSED)
            raise ZeroDivisionError
        self.assertEqual((AuditEvent.objects.count(), AuditPii.objects.count()), (0, 0))

    def test_the_event_rolls_back_with_its_personal_values(self):
        sealed = AuditPii.__init__

        def unsealed(row, *args, **fields):
            # Not the row of places from which the INSERT is compiled, once for all tests of this process.
            is_row = isinstance(fields.get("ciphertext"), bytes)
            sealed(row, *args, **(fields | {"ciphertext": None} if is_row else fields))

        with mock.patch.object(AuditPii, "__init__", unsealed), self.assertRaises(DatabaseError):
            record_refusal(Action.SESSION_CREATE_REFUSED)
        self.assertEqual((AuditEvent.objects.count(), AuditPii.objects.count()), (0, 0))

    def test_every_value_is_the_events_own(self):
        values = {"email": "asha@example.in", "name": "Asha"}
        events = [record_refusal(Action.SESSION_CREATE_REFUSED, pii=values) for _ in range(2)]
        for event in events:
            self.assertEqual({row.field for row in event.pii.all()}, {*values, "address"})

    def test_the_act_rolls_back_with_the_event(self):
        taken = uuid.uuid4()
        with mock.patch("security.audit.services.uuid7", return_value=taken):
            record_refusal(Action.SESSION_CREATE_REFUSED)
            with self.assertRaises(DatabaseError), transaction.atomic():
                asha = SubjectKey.objects.issue()
                record(Action.COMPANY_REGISTERED, actor=asha)
        self.assertFalse(SubjectKey.objects.filter(pk=asha.pk).exists())

    def test_a_refusal_is_committed_before_the_answer(self):
        with self.assertRaises(ZeroDivisionError):
            record_refusal(Action.PERMISSION_DENIED, data={"permission": "users.read"})
            raise ZeroDivisionError
        self.assertEqual(AuditEvent.objects.get().type, "permission.denied")

    def test_a_refusal_does_not_hide_in_a_wider_transaction(self):
        with self.assertRaises(RuntimeError), transaction.atomic():
            record_refusal(Action.PERMISSION_DENIED)
        self.assertEqual(AuditEvent.objects.count(), 0)


class WithoutDatabase(SimpleTestCase):
    """The face is complete."""

    def test_it_offers_what_it_names(self):
        import security.audit

        self.assertEqual([n for n in security.audit.__all__ if not hasattr(security.audit, n)], [])
