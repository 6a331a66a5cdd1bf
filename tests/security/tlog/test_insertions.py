"""What INSERT and the allowed UPDATE put into the tables of the log is found, is in no export, and stops no seal."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from security.audit import AuditEvent, AuditPii, Wanted, walk
from security.tlog import AuditCheckpoint, AuditTile, ProofWrong, SealRefused, prove, recover, seal_pending, standing_of
from tests.security.tlog.bundles import BundleCase
from tests.security.tlog.log import SIZES, ForgedLog, Intruder

END = SIZES[-1]
JUNK = bytes(range(32))


def drop_constraint(table: str, kind: str, column: str) -> None:
    """As who owns the table can on PostgreSQL; on SQLite a foreign key holds where the client asks for it."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        named = "conrelid = %s::regclass AND contype = %s AND pg_get_constraintdef(oid) LIKE %s"
        cursor.execute(f"SELECT conname FROM pg_constraint WHERE {named}", [table, kind, f"%({column})%"])
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {cursor.fetchone()[0]}")


class InsertedEvents(ForgedLog):
    def test_one_at_a_place_before_the_first_is_found_and_in_no_export(self):
        event = self.forged_event(-1, "gone")
        AuditEvent.objects.bulk_create([event])
        self.assertEqual(self.found(), {"event_extra": -1})
        self.assertNotIn(event.event_id, [one.event_id for one in walk(Wanted(), end=END)])
        self.assertRaises(ProofWrong, prove, event)
        self.assertEqual(standing_of(event).sealed, None)
        self.assertEqual([event.is_among(END), AuditEvent.objects.get(tree_index=0).is_among(END)], [False, True])

    def test_one_at_a_place_beyond_the_tree_is_what_the_seal_tells_of(self):
        """And not that two events would have one place, once the tree gets there."""
        self.act(2)
        for place in (-1, END, END + 1, 10**9):
            with self.subTest(place):
                event = self.forged_event(place, "gone")
                AuditEvent.objects.bulk_create([event])
                with self.assertRaisesRegex(SealRefused, "has a place that no checkpoint covers"):
                    seal_pending()
                with self.assertRaisesRegex(SealRefused, "has a place that no checkpoint covers"):
                    recover(operator="ops", reason="TICKET-1", is_dry=True)
                Intruder().run("DELETE FROM audit_event WHERE id = %s", event.pk)
        self.assertEqual(seal_pending().events, 2)

    def test_a_copy_of_one_under_another_id_is_not_sealed(self):
        copied = AuditEvent.objects.get(tree_index=END - 1)
        copied.pk, copied.tree_index, copied.event_id = None, None, uuid4()
        AuditEvent.objects.bulk_create([copied])
        with self.assertRaisesRegex(SealRefused, "bears another id than it was recorded with"):
            seal_pending()

    def test_a_copy_of_one_under_its_own_id_is_found(self):
        if connection.vendor != "postgresql":
            return  # there the table itself keeps ids apart
        drop_constraint("audit_event", "u", "event_id")
        copied = AuditEvent.objects.get(tree_index=END - 1)
        [value] = AuditPii.objects.filter(event=copied)
        copied.pk, copied.tree_index = None, None
        AuditEvent.objects.bulk_create([copied])
        value.pk, value.event = None, copied
        value.save(force_insert=True)
        self.assertEqual(self.found(), {"event_extra": END - 1})
        seal_pending()
        self.assertEqual(self.found(), {"event_extra": END})


@pytest.mark.skipif(connection.vendor == "postgresql", reason="whose columns hold what they are for")
class Junk(ForgedLog):
    """SQLite keeps in a column whatever is put there; a verification that it ends finds it all the same."""

    def test_in_whatever_column(self):
        for table, column, junk in (
            ("audit_event", "leaf", "'text'"),
            ("audit_event", "mac", "7"),
            ("audit_event", "actor", "'nobody'"),
            ("audit_event", "occurred_at", "'never'"),
            ("audit_event", "tree_index", "0.5"),
            ("audit_pii", "ciphertext", "9223372036854775807"),
            ("audit_tile", "hashes", "'text'"),
            ("audit_tile", "level", "'text'"),
        ):
            with self.subTest(f"{table}.{column}"), transaction.atomic(), self.assertLogs("security.tlog", "ERROR"):
                Intruder().run(f"UPDATE {table} SET {column} = {junk} WHERE id = (SELECT max(id) FROM {table})")
                self.assertIn("event_edited", self.found())
                transaction.set_rollback(True)


class InsertedHashes(ForgedLog):
    """The guard lets a tile grow, and a tile be put in."""

    def assert_found_and_sealed_over(self) -> None:
        self.assertIn("tile_edited", self.found())
        self.act(1000)
        seal_pending()
        self.assertEqual(self.found(), {})

    def grow(self, level: int, index: int) -> None:
        tile = AuditTile.objects.get(level=level, index=index)
        AuditTile.objects.filter(pk=tile.pk).update(hashes=bytes(tile.hashes) + JUNK)

    def test_behind_the_last_event(self):
        self.grow(0, END // 256)
        self.assert_found_and_sealed_over()

    def test_behind_the_last_full_tile(self):
        self.grow(1, 0)
        self.assert_found_and_sealed_over()

    def test_in_a_tile_that_will_be_needed(self):
        AuditTile.objects.create(level=0, index=END // 256 + 1, hashes=JUNK)
        self.assert_found_and_sealed_over()

    def test_in_a_tile_that_never_will(self):
        AuditTile.objects.create(level=7, index=0, hashes=JUNK)
        self.assertIn("tile_edited", self.found())

    def test_hashes_of_hashes_that_were_taken_out_are_missed(self):
        Intruder().run("DELETE FROM audit_tile WHERE level = 1")
        self.assertEqual(self.found(), {"tile_edited": None})


class InsertedCheckpoints(BundleCase):
    """A bundle holds every note: one that no verification reads would make each of them wrong."""

    def test_of_no_event(self):
        AuditCheckpoint.objects.create(size=-1, log=self.log, root=JUNK, note="junk\n\nof mine\n")
        self.assertEqual(self.found(), {"checkpoint_edited": -1})

    def test_of_a_log_that_is_not_there(self):
        drop_constraint("audit_checkpoint", "f", "log_id")
        row = AuditCheckpoint.objects.create(size=END - 1, log_id=77, root=JUNK, note="junk\n\nof mine\n")
        self.addCleanup(Intruder().run, "DELETE FROM audit_checkpoint WHERE size = %s", row.size)
        self.assertEqual(self.found()["checkpoint_edited"], END - 1)

    def test_one_that_says_to_be_younger_than_the_next(self):
        """No signature covers when a checkpoint says it was made."""
        later = timezone.now() + timedelta(days=1)
        Intruder().run("UPDATE audit_checkpoint SET created_at = %s WHERE size = %s", later, SIZES[0])
        self.assertEqual(self.found(), {"checkpoint_edited": SIZES[1]})

    def test_a_line_that_is_put_to_a_note_is_found(self):
        last = AuditCheckpoint.objects.last()
        note = f"{last.note}— witness.example.in {'A' * 100}\n"
        Intruder().run("UPDATE audit_checkpoint SET note = %s WHERE size = %s", note, last.size)
        self.assertEqual(self.found(), {"checkpoint_edited": END})
