"""manage.py audit_recover: an older database, or one whose signer is lost, goes on in an epoch of its own."""

import json
from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command

from security.audit import AuditEvent
from security.tlog import AuditCheckpoint, AuditLog, LogForked, seal_on_schedule, seal_pending
from tests.commands import output_of
from tests.security.tlog.log import SIZES, Intruder, SealedLog, signer_is_lost


class LostSigner(SealedLog):
    """Who lost the signer's folder begins an epoch under a new key; who only does not have it begins none."""

    def test_one_that_sealed_a_moment_ago_is_elsewhere_and_no_epoch_begins(self):
        with self.settings(AUDIT_SIGNER_DIR=self.folder.parent / "another host's"):
            with self.assertRaisesRegex(CommandError, "its signer is not in this folder: run this where it is"):
                call_command("audit_recover", "--reason", "OPS-9", "--confirm")
            seal_on_schedule()
        self.act()
        self.assertEqual((seal_pending().events, self.found(), AuditLog.objects.count()), (1, {}, 1))

    @signer_is_lost
    def test_a_lost_signer_is_followed_by_another_in_an_epoch_of_its_own(self):
        with self.settings(AUDIT_SIGNER_DIR=self.folder.parent / "new"):
            call_command("audit_recover", "--reason", "OPS-9", "--confirm", stdout=StringIO())
            self.act()
            self.assertEqual(seal_pending().events, 1)
            self.assertEqual((self.found(), self.verify().exit_code), ({}, 0))
        self.assertEqual(AuditLog.objects.last().epoch, 2)

    @signer_is_lost
    def test_one_that_is_lost_again_is_followed_in_one_more_and_each_is_told_of_with_its_key(self):
        first = AuditLog.objects.get()
        for folder in ("second", "third"):
            with self.settings(AUDIT_SIGNER_DIR=self.folder.parent / folder):
                kept = AuditCheckpoint.objects.select_related("log").last()
                said = output_of("audit_recover", "--reason", "OPS-9", "--confirm")
                self.assertIn(f"Signed last: {kept.size} events ({kept.log.origin}).", said)
                told = AuditEvent.objects.get(tree_index=kept.size).parsed_leaf().data
                lost = {"origin": kept.log.origin, "size": kept.size, "root": bytes(kept.root).hex()}
                self.assertEqual((told["lost"], told["ended"]), (lost, kept.log.verifier_key))
                self.assertEqual((self.found(), self.verify().exit_code), ({}, 0))
        self.assertEqual([log.epoch for log in AuditLog.objects.order_by("epoch")], [1, 2, 3])
        self.assertEqual(AuditLog.objects.get(epoch=1), first)

    def test_an_older_copy_of_its_folder_begins_no_epoch_that_there_is(self):
        before = {path: path.read_bytes() for path in self.folder.iterdir()}
        Intruder().remove(SIZES[1], SIZES[-1], is_renumbered=False)
        Intruder().rebuild_tree()
        for epoch in (2, 3):
            self.restore_folder(before)
            call_command("audit_recover", "--reason", "OPS-9", "--confirm", stdout=StringIO())
            self.assertEqual((AuditLog.objects.last().epoch, self.found()), (epoch, {}))


class Recovery(SealedLog):
    """An older database was put back: the log ends at the second checkpoint, and the signer knows of a third."""

    def setUp(self):
        super().setUp()
        intruder = Intruder()
        intruder.remove(SIZES[1], SIZES[-1], is_renumbered=False)
        intruder.rebuild_tree()

    def run_command(self, *arguments: str) -> str:
        return output_of("audit_recover", "--reason", "OPS-7", *arguments)

    def test_without_confirm_it_says_what_is_lost_and_changes_nothing(self):
        said = self.run_command()
        self.assertIn(f"{SIZES[-1] - SIZES[1]} sealed events are lost", said)
        self.assertIn("Nothing was changed.", said)
        told = json.loads(self.run_command("--json"))
        self.assertEqual((told["kept"], told["lost"], told["isDone"]), (SIZES[1], SIZES[-1] - SIZES[1], False))
        with self.assertRaises(LogForked):
            seal_pending()

    def test_a_new_epoch_goes_on_and_its_first_event_quotes_the_lost_tree(self):
        self.act(4)  # recorded since the restore, before anybody noticed
        lost = json.loads((self.folder / "signed.json").read_text())["note"].split("\n")
        self.run_command("--confirm")
        first = AuditEvent.objects.get(tree_index=SIZES[1]).parsed_leaf()
        self.assertEqual((first.type, first.data["reason"]), ("audit_log.recovered", "OPS-7"))
        self.assertEqual(first.data["lost"]["size"], int(lost[1]))
        old, new = AuditLog.objects.order_by("epoch")
        self.assertEqual((old.origin.rpartition("/")[2], new.origin.rpartition("/")[2]), ("1", "2"))
        self.assertNotEqual(old.verifier_key.rpartition("+")[2], new.verifier_key.rpartition("+")[2])
        self.act(13)  # beyond the lost tree
        self.assertEqual(seal_pending().size, SIZES[1] + 1 + 4 + 13)
        self.assertEqual((self.found(), self.verify().exit_code), ({}, 0))

    def test_ended_between_signer_and_database_it_is_taken_up_again(self):
        ended = mock.patch("security.tlog.recovery._open_epoch", side_effect=KeyboardInterrupt)
        with ended, self.assertRaises(KeyboardInterrupt):
            self.run_command("--confirm")
        self.run_command("--confirm")
        first = AuditEvent.objects.get(tree_index=SIZES[1]).parsed_leaf()
        self.assertEqual(first.data["lost"]["size"], SIZES[-1])
        self.assertEqual(AuditLog.objects.last().epoch, 2)
        self.assertEqual(self.found(), {})

    def assert_left_to_the_seal(self) -> None:
        with self.assertRaisesRegex(CommandError, "nothing is to recover: audit_seal signs") as raised:
            self.run_command("--confirm")
        self.assertEqual(raised.exception.returncode, 1)

    def test_ended_before_the_epoch_was_signed_the_next_seal_signs_it(self):
        ended = mock.patch("security.management.commands.audit_recover.seal_pending", side_effect=KeyboardInterrupt)
        with ended, self.assertRaises(KeyboardInterrupt):
            self.run_command("--confirm")
        self.assert_left_to_the_seal()
        with mock.patch.object(AuditCheckpoint, "save", side_effect=KeyboardInterrupt):  # the signer has signed by then
            self.assertRaises(KeyboardInterrupt, seal_pending)
        self.assert_left_to_the_seal()
        seal_pending()
        self.assertEqual((AuditLog.objects.last().epoch, self.found()), (2, {}))

    def test_a_reason_that_may_not_be_kept_for_ever_changes_nothing(self):
        before = (self.folder / "signed.json").read_bytes()
        with self.assertRaisesRegex(CommandError, "name a ticket"):
            self.run_command("--confirm", "--reason", "asha@lotus.example.in asked")
        self.assertEqual((self.folder / "signed.json").read_bytes(), before)

    def test_where_nothing_was_lost_there_is_nothing_to_recover(self):
        self.run_command("--confirm")
        with self.assertRaisesRegex(CommandError, "agree"):
            self.run_command("--confirm")

    def test_a_database_whose_tree_does_not_hold_is_refused(self):
        Intruder().run("UPDATE audit_tile SET hashes = %s WHERE level = 1", b"\3" * 64)
        with self.assertRaisesRegex(CommandError, "restore another backup"):
            self.run_command("--confirm")
