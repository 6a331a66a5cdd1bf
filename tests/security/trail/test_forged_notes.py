"""A note that no trigger made, or none of ours, is refused, or told of as what it is: nobody's act."""

import threading
from unittest import mock
from uuid import uuid4

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.identity.models import User
from security.audit import Action, AuditEvent, record
from security.tlog import SealRefused, seal_pending, sealing, verify_log
from security.trail import maintenance
from security.trail.models import AuditChange
from tests.factories import asha
from tests.security.trail.trail import (
    CHANGED,
    IS_POSTGRESQL,
    OUT_OF_BAND,
    TrailCase,
    another_client,
    unguarded_notes,
)

BY_A_TRIGGER = """
CREATE TEMP TABLE lever (tx text);
CREATE FUNCTION pg_temp.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
  INSERT INTO public.audit_change (tx, table_name, operation, row_key, at, db_role, db_client)
    VALUES (NEW.tx, 'accounts_user_groups', 'insert', '77', '2020-01-01', 'postgres', '');
  RETURN NULL;
END$$;
CREATE TRIGGER note AFTER INSERT ON lever FOR EACH ROW EXECUTE FUNCTION pg_temp.note();
"""
JUNK = (
    {"new_values": []},
    {"new_values": "text"},
    {"old_values": 7},
    {"new_values": {"é": 1}},
    {"new_values": {"a" * 9000: 1}},
    {"old_values": None, "new_values": {str(number): "x" * 190 for number in range(50)}},
)
if not IS_POSTGRESQL:  # which keeps texts to their length
    JUNK += ({"table": "t" * 9000}, {"operation": "o" * 9000})


class ForgedNotes(TrailCase):
    def setUp(self):
        super().setUp()
        self.asha = asha()
        self.forget()
        with transaction.atomic():
            record(Action.SESSIONS_ENDED_ALL, actor=self.asha.subject)
        self.tx = AuditEvent.objects.latest("pk").tx

    def note(self) -> None:
        AuditChange.objects.create(
            tx=self.tx, table="accounts_user_groups", operation="insert", row="77", at=timezone.now(),
            new_values={"group_id": 1, "user": str(self.asha.subject_id)}, db_role="", db_client="",
        )  # fmt: skip

    def test_one_that_is_written_by_hand_is_refused(self):
        with self.assertRaisesMessage(DatabaseError, "audit_change is written by triggers alone"):
            self.note()

    def test_to_the_event_of_a_sealed_act_nothing_can_be_put(self):
        self.forget()
        with unguarded_notes():
            self.note()
        self.assertIsNone(self.only(OUT_OF_BAND).actor)

    def test_one_by_a_trigger_of_theirs_is_of_their_transaction_time_and_role(self):
        if not IS_POSTGRESQL:
            return
        client = another_client()
        self.addCleanup(client.close)
        client.execute(BY_A_TRIGGER)
        client.execute("INSERT INTO lever VALUES (%s)", [self.tx])
        leaf = self.only(OUT_OF_BAND)
        self.assertEqual((leaf.actor, leaf.data["role"]), (None, connection.settings_dict["USER"]))
        self.assertGreater(leaf.data["at"], "2026")

    def test_whatever_one_says_the_seal_goes_on_and_tells_that_it_was_there(self):
        whole = {"table": "accounts_user", "operation": "update", "row": "7", "old_values": {}, "new_values": {}}
        for number, junk in enumerate(JUNK):
            with self.subTest(junk), unguarded_notes():
                self.seen = AuditEvent.objects.latest("pk").pk
                # In the form of a trigger's own: a trigger of theirs may write what it likes.
                tx = f"theirs {number}"
                AuditChange.objects.create(tx=tx, at=timezone.now(), db_role="", db_client="", **whole | junk)
                [change] = self.only(OUT_OF_BAND).data["changes"]
                self.assertEqual(change.get("cut", False), "old_values" in junk or "new_values" in junk)

    def test_an_act_that_commits_while_its_seal_runs_is_told_of_with_its_actor(self):
        if not IS_POSTGRESQL:
            return  # nobody else writes while a seal does
        tell = sealing.tell_changes

        def act() -> None:
            with transaction.atomic():
                User.objects.filter(pk=self.asha.pk).update(token_version=2)
                record(Action.SESSIONS_ENDED_ALL, actor=self.asha.subject)
            connection.close()

        def tell_and_act(**limit) -> int:
            told = tell(**limit)
            if not User.objects.filter(token_version=2).exists():
                other = threading.Thread(target=act)
                other.start()
                other.join()
            return told

        with mock.patch.object(sealing, "tell_changes", tell_and_act):
            seal_pending()
        self.assertEqual(self.only(CHANGED).actor, self.asha.subject_id)
        self.assertFalse(AuditEvent.objects.filter(tree_index=None).exists())
        self.assertEqual(verify_log().faults, [])


class ForgedTellers(TrailCase):
    """Who an event says did something is believed where it has our mark, as for the event itself."""

    def setUp(self):
        super().setUp()
        self.asha = asha()
        with transaction.atomic():
            record(Action.SESSIONS_ENDED_ALL, actor=self.asha.subject)
        self.forget()

    @transaction.atomic
    def write_as_asha(self, **columns: object) -> None:
        """Write two rows, and an event beside them that is a copy of one of Asha's, with these columns."""
        with connection.cursor() as cursor:
            for version in (77, 78):
                cursor.execute("UPDATE accounts_user SET token_version = %s", [version])
        forged = AuditEvent.objects.filter(actor=self.asha.subject_id).latest("pk")
        forged.pk, forged.tree_index, forged.tx = None, None, AuditChange.objects.latest("pk").tx
        for name, value in {"event_id": uuid4(), **columns}.items():
            setattr(forged, name, value)
        AuditEvent.objects.bulk_create([forged])

    def assert_nothing_is_told(self) -> None:
        # One change a run: the event waits for the other, and is not looked at for its place in the tree.
        with mock.patch.object(sealing, "BATCH", 1), self.assertRaises(SealRefused):
            seal_pending()
        self.assertFalse(AuditEvent.objects.filter(type__in=[CHANGED, OUT_OF_BAND], pk__gt=self.seen).exists())

    def test_a_copy_of_an_event_of_ours_tells_of_nothing(self):
        self.write_as_asha()
        self.assert_nothing_is_told()

    def test_nor_does_one_with_a_mark_of_theirs(self):
        self.write_as_asha(mac=bytes(32))
        self.assert_nothing_is_told()

    def test_who_did_it_is_who_the_event_says_and_not_its_columns(self):
        with transaction.atomic():
            User.objects.filter(pk=self.asha.pk).update(token_version=2)
            event = record(Action.SESSIONS_ENDED_ALL, actor=self.asha.subject)
            with maintenance(), connection.cursor() as cursor:
                cursor.execute("UPDATE audit_event SET actor = NULL WHERE id = %s", [event.pk])
        self.assertEqual(self.only(CHANGED).actor, self.asha.subject_id)
