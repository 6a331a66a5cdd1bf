"""The tamper matrix: whatever is done to the sealed log in its database is found, with the first bad index."""

import json
from base64 import b64decode
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from django.utils import timezone

from security.audit import Action, AuditEvent, AuditPii, erase_personal_values, record
from security.audit.leaf import canonical, leaf_hash, members_of
from security.crypto.models import SubjectKey
from security.tlog import AuditCheckpoint, AuditTile, LogForked, SealRefused, seal_pending
from security.tlog.note import VerifierKey
from tests.security.tlog.log import SIZES, Intruder, SealedLog

BAD = 300


class Tampering(SealedLog):
    def setUp(self):
        super().setUp()
        self.intruder = Intruder()

    def leaf(self, index: int = BAD):
        return AuditEvent.objects.get(tree_index=index).parsed_leaf()

    def altered(self):
        return replace(self.leaf(), outcome="refused")

    def stolen_key(self) -> Ed25519PrivateKey:
        state = json.loads((self.folder / "signed.json").read_text())
        return Ed25519PrivateKey.from_private_bytes(b64decode(state["key"]))

    def assert_found(self, kind: str, index: int | None) -> None:
        report = self.verify()
        self.assertEqual(report.exit_code, 1)
        found = {fault.kind.value: fault.index for fault in report.faults}
        self.assertIn(kind, found)
        self.assertEqual(found[kind], index, found)
        self.assertEqual(report.first_bad_index, index, found)

    def test_the_log_as_it_was_sealed_is_proved(self):
        report = self.verify()
        self.assertEqual((report.faults, report.not_verified, report.exit_code), ([], [], 0))
        self.assertEqual((report.events, report.size, report.checkpoints), (SIZES[-1], SIZES[-1], len(SIZES)))

    def test_01_an_edited_event(self):
        self.intruder.put_leaf(BAD, self.altered(), is_hashed=False)
        self.assert_found("event_edited", BAD)

    def test_02_an_edited_event_with_a_new_hash(self):
        self.intruder.put_leaf(BAD, self.altered(), is_hashed=True)
        self.assert_found("event_edited", BAD)

    def test_03_an_edited_event_with_hash_and_tree_made_anew(self):
        self.intruder.put_leaf(BAD, self.altered(), is_hashed=True)
        self.intruder.rebuild_tree()
        self.assert_found("event_unmarked", BAD)
        self.assertEqual(self.found()["checkpoint_edited"], SIZES[1])

    def test_04_a_deleted_event(self):
        self.intruder.remove(BAD, BAD + 1, is_renumbered=False)
        self.assert_found("event_missing", BAD)

    def test_05_a_deleted_event_and_the_rest_renumbered(self):
        self.intruder.remove(BAD, BAD + 1, is_renumbered=True)
        self.assert_found("event_edited", BAD)
        self.assertEqual(self.found()["event_missing"], SIZES[-1] - 1)

    def test_06_two_events_swapped(self):
        for old, new in ((BAD, -1), (BAD + 7, BAD), (-1, BAD + 7)):
            self.intruder.run("UPDATE audit_event SET tree_index = %s WHERE tree_index = %s", new, old)
        self.assert_found("event_edited", BAD)

    def test_07_the_end_cut_off(self):
        self.intruder.remove(SIZES[1] + 3, SIZES[-1], is_renumbered=False)
        self.assert_found("event_missing", SIZES[1] + 3)

    def test_08_rolled_back_to_an_earlier_checkpoint(self):
        self.intruder.remove(SIZES[1], SIZES[-1], is_renumbered=False)
        self.intruder.rebuild_tree()
        self.assert_found("log_rolled_back", SIZES[1])
        with self.assertRaises(LogForked):
            seal_pending()

    def test_09_an_event_slipped_in_between(self):
        self.intruder.move(BAD, by=1)
        self.intruder.run(
            "INSERT INTO audit_event (leaf, leaf_hash, mac, mac_key, tree_index, event_id, type, audit_class, outcome,"
            " occurred_at, request_id, address_key) SELECT leaf, leaf_hash, mac, mac_key, %s, %s, type, audit_class,"
            " outcome, occurred_at, request_id, '' FROM audit_event WHERE tree_index = %s",
            BAD,
            self.other_id(),
            BAD - 1,
        )
        self.assert_found("event_edited", BAD)

    def other_id(self):
        return AuditEvent._meta.get_field("event_id").get_db_prep_value("a" * 32, connection)

    def test_10_an_old_event_added_to_those_that_wait(self):
        leaf = replace(self.leaf(), occurred_at=self.leaf().occurred_at - timedelta(days=90))
        self.act()
        pending = AuditEvent.objects.get(tree_index=None)
        self.intruder.run("UPDATE audit_event SET leaf = %s WHERE id = %s", leaf.encode(), pending.pk)
        found = self.found()
        self.assertIn("event_edited", found)
        with self.assertRaises(SealRefused):
            seal_pending()
        self.assertEqual(AuditCheckpoint.objects.count(), len(SIZES))

    def test_11_everything_written_anew_under_another_key(self):
        self.intruder.put_leaf(BAD, self.altered(), is_hashed=True)
        self.intruder.rebuild_tree()
        self.intruder.sign_again(Ed25519PrivateKey.generate(), is_key_replaced=True)
        self.assert_found("event_unmarked", BAD)
        self.assertLessEqual({"key_replaced", "log_forked"}, self.found().keys())

    def test_12_everything_written_anew_under_the_stolen_key(self):
        self.intruder.put_leaf(BAD, self.altered(), is_hashed=True)
        self.intruder.rebuild_tree()
        self.intruder.sign_again(self.stolen_key(), is_key_replaced=False)
        self.assert_found("event_unmarked", BAD)
        self.assertIn("log_forked", self.found())

    def test_13_the_beginning_left_out(self):
        self.intruder.remove(0, 256, is_renumbered=False)
        self.assert_found("event_missing", 0)

    def test_14_an_edited_checkpoint(self):
        self.intruder.run("UPDATE audit_checkpoint SET root = %s WHERE size = %s", b"\1" * 32, SIZES[1])
        self.assertEqual(self.found()["checkpoint_edited"], SIZES[1])

    def test_15_a_checkpoint_taken_out(self):
        self.intruder.run("DELETE FROM audit_checkpoint WHERE size = %s", SIZES[-1])
        self.assert_found("log_rolled_back", SIZES[1])

    def test_15b_a_checkpoint_taken_out_of_the_middle(self):
        self.intruder.run("DELETE FROM audit_checkpoint WHERE size = %s", SIZES[1])
        self.assert_found("checkpoint_edited", SIZES[1])
        self.assertEqual(self.found(since=SIZES[1]), {})
        self.assertEqual(self.found(since=SIZES[0]), {"checkpoint_edited": SIZES[1]})

    def test_15c_a_file_of_checkpoints_that_a_crash_cut_off_says_what_it_still_has(self):
        path = self.folder / "checkpoints.txt"
        whole = path.read_text()
        for end in (len(whole) - 3, whole.rindex("\n\n") - 3):
            path.write_text(whole[:end])
            self.assertEqual(self.found(), {})
        path.write_text(whole[:end] + whole)
        self.assertEqual(self.found(), {})
        self.intruder.run("DELETE FROM audit_checkpoint WHERE size = %s", SIZES[1])
        self.assert_found("checkpoint_edited", SIZES[1])
        path.unlink()
        self.assertEqual(self.verify().not_verified, [f"{path}: No such file or directory"])

    def test_15d_a_file_of_checkpoints_that_goes_on_behind_what_was_cut_off_changes_nothing(self):
        path = self.folder / "checkpoints.txt"
        whole = path.read_bytes()
        at = whole.rindex(b"\n\n", 0, -1)
        for end in (at - 100, at + 2, at + 3, at + 5, at + 7):
            with self.subTest(end - at):
                path.write_bytes(whole[:end])  # the disk was full
                self.act()
                seal_pending()
                self.assertEqual(self.found(), {})
        for spoilt in (whole[:end] + whole, whole.replace(b"/1\n530", b"/q\n530")):
            path.write_bytes(spoilt)
            self.assertEqual(self.found(), {})

    def test_16_an_edited_copy_of_what_the_leaf_says(self):
        self.intruder.run("UPDATE audit_event SET outcome = 'refused' WHERE tree_index = %s", BAD)
        self.assert_found("column_edited", BAD)

    def test_17_an_edited_hash_of_the_tree(self):
        tile = AuditTile.objects.get(level=1, index=0)
        self.intruder.run("UPDATE audit_tile SET hashes = %s WHERE id = %s", b"\2" * len(tile.hashes), tile.pk)
        self.assertIn("tile_edited", self.found())
        self.act()
        with self.assertRaises(SealRefused):
            seal_pending()

    def test_18_a_personal_value_of_another_event(self):
        first, second = (AuditPii.objects.get(event__tree_index=index) for index in (BAD, BAD + 1))
        self.intruder.run("UPDATE audit_pii SET ciphertext = %s WHERE id = %s", bytes(second.ciphertext), first.pk)
        self.assert_found("personal_value_edited", BAD)

    def test_18b_a_personal_value_taken_away(self):
        self.intruder.remove_values(BAD)
        self.assert_found("personal_value_missing", BAD)

    def test_18c_a_personal_value_said_to_be_of_somebody_erased(self):
        bilal = SubjectKey.objects.issue()
        bilal.destroy(at=timezone.now())
        value = AuditPii.objects.get(event__tree_index=BAD)
        subject = AuditPii._meta.get_field("subject").get_db_prep_value(bilal.pk, connection)
        self.intruder.run("UPDATE audit_pii SET subject = %s WHERE id = %s", subject, value.pk)
        self.assert_found("personal_value_missing", BAD)

    def test_18d_the_address_of_a_client_that_is_found_no_more(self):
        for index in (None, bytes(32)):
            with self.subTest(index):
                self.intruder.run("UPDATE audit_event SET address_index = %s WHERE tree_index = %s", index, BAD)
                self.assert_found("column_edited", BAD)

    def test_18e_an_address_planted_where_the_event_has_none(self):
        with transaction.atomic():
            plain = record(Action.SESSION_CREATED, actor=self.asha)
        index = seal_pending().size - 1
        found_by = AuditEvent.objects.get(tree_index=BAD).address_index
        self.assertEqual(self.found(), {})
        self.intruder.run("UPDATE audit_event SET address_index = %s WHERE id = %s", bytes(found_by), plain.pk)
        self.assert_found("column_edited", index)

    def test_18f_an_address_planted_again_after_it_was_erased(self):
        erase_personal_values(subject=self.asha)
        self.asha.destroy(at=timezone.now())
        with time_machine.travel(timezone.now() + timedelta(minutes=11)), transaction.atomic():
            record(Action.SUBJECT_ERASED, target=self.asha)
        self.assertEqual(self.found(), {})
        self.intruder.run("UPDATE audit_event SET address_index = %s WHERE tree_index = %s", bytes(32), BAD)
        self.assert_found("column_edited", BAD)

    def test_18g_a_value_to_which_no_event_commits(self):
        value = AuditPii.objects.get(event__tree_index=BAD)
        gone = SubjectKey.objects.issue()
        gone.destroy(at=timezone.now())
        for subject in (self.asha, gone):
            with self.subTest(subject), transaction.atomic():
                AuditPii.objects.create(
                    event=value.event, field="name", subject=subject.pk, ciphertext=bytes(value.ciphertext)
                )
                self.assert_found("personal_value_edited", BAD)
                transaction.set_rollback(True)

    def test_19_the_mark_taken_from_another_event(self):
        other = AuditEvent.objects.get(tree_index=BAD + 1)
        self.intruder.run("UPDATE audit_event SET mac = %s WHERE tree_index = %s", bytes(other.mac), BAD)
        self.assert_found("event_unmarked", BAD)

    def test_20_a_place_beyond_the_signed_tree(self):
        self.act()
        self.intruder.run("UPDATE audit_event SET tree_index = %s WHERE tree_index IS NULL", SIZES[-1] + 5)
        self.assert_found("event_extra", SIZES[-1] + 5)

    def test_21_junk_in_the_place_of_a_leaf(self):
        told = members_of(bytes(AuditEvent.objects.get(tree_index=BAD).leaf))
        self.intruder.remove_values(BAD)
        for member, junk in (
            ("node", 5),
            ("node", None),
            ("pii", ["address"]),
            ("pii", {"address": 5}),
            ("data", []),
            ("actor", ["asha"]),
            ("actor", "asha"),
            ("ts", "noon"),
        ):
            with self.subTest(member=member, junk=junk):
                leaf = canonical(told | {member: junk})
                self.intruder.run(
                    "UPDATE audit_event SET leaf = %s, leaf_hash = %s WHERE tree_index = %s", leaf, leaf_hash(leaf), BAD
                )
                self.assert_found("event_edited", BAD)

    def test_what_is_verified_from_an_index_on_starts_there(self):
        self.intruder.put_leaf(BAD, self.altered(), is_hashed=True)
        self.assertEqual(self.found(since=BAD + 1), {})
        self.assertEqual(self.found(since=BAD)["event_edited"], BAD)
        self.assertEqual(self.verify(since=BAD + 1).events, SIZES[-1] - BAD - 1)

    def test_without_the_signer_the_key_you_keep_decides(self):
        key = AuditCheckpoint.objects.select_related("log").first().log.verifier_key
        with self.settings(AUDIT_SIGNER_DIR=Path("/nonexistent/signer")):
            self.assertEqual(self.verify().exit_code, 2)

            self.assertEqual(self.verify(pinned=VerifierKey.parse(key)).exit_code, 0)
            self.intruder.rebuild_tree()
            self.intruder.sign_again(Ed25519PrivateKey.generate(), is_key_replaced=True)
            self.assertIn("key_replaced", self.found(pinned=VerifierKey.parse(key)))

    def test_a_log_that_is_sealed_while_it_is_verified_is_proved(self):
        def act_and_seal(*_: object) -> None:
            self.act()
            seal_pending()

        report = self.verify(advance=act_and_seal)
        self.assertEqual((report.faults, report.not_verified, report.size), ([], [], SIZES[-1]))
        self.assertGreater(AuditCheckpoint.objects.count(), len(SIZES))
