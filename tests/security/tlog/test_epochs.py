"""Whose checkpoints are believed: those of epochs that the signer and the tree itself know."""

from io import StringIO
from pathlib import Path
from unittest import mock
from uuid import uuid4
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from security.crypto import keyring
from security.tlog import AuditCheckpoint, AuditLog, LogForked, seal_pending, verification, write_bundle
from security.tlog.note import Checkpoint, VerifierKey, sign_note, verifier_key
from security.tlog.store import stored_nodes
from security.tlog.tree import root_of
from tests.security.tlog.log import SIZES, ForgedLog, Intruder, signer_is_lost

END = SIZES[-1]
STRANGE = "strange.example.in/audit/feed/0"


class StrangeEpochs(ForgedLog):
    """A checkpoint and a key are believed only where signer and tree know the epoch that they are of."""

    def plant(self, epoch: int = 0) -> AuditLog:
        self.private = Ed25519PrivateKey.generate()
        key = str(verifier_key(STRANGE, self.private))
        return AuditLog.objects.create(epoch=epoch, origin=STRANGE, verifier_key=key)

    def sign_as_stranger(self, size: int, log: AuditLog) -> None:
        root = root_of(stored_nodes(), size)
        note = sign_note(Checkpoint(origin=STRANGE, size=size, root=root).text, name=STRANGE, private=self.private)
        AuditCheckpoint.objects.create(size=size, log=log, root=root, note=note)

    def forge_signed(self) -> None:
        log = self.plant()
        row = self.forge(log=log, mac_key=keyring().active("audit_mac").id)
        note = sign_note(row.as_checkpoint().text, name=STRANGE, private=self.private)
        AuditCheckpoint.objects.filter(size=row.size).update(note=note)

    def assert_not_recovered(self, why: str) -> None:
        for arguments in ((), ("--confirm",)):
            with self.assertRaisesRegex(CommandError, why):
                call_command("audit_recover", "--reason", "OPS-7", *arguments)
        self.assertFalse(AuditLog.objects.filter(epoch=2).exists())

    def test_a_tail_that_a_stranger_signed_is_found_and_not_recovered_from(self):
        self.forge_signed()
        found = self.found()
        self.assertEqual((found["log_forked"], found["checkpoint_edited"]), (END, END + 1))
        self.assertIn("key_replaced", found)
        self.assertRaisesRegex(LogForked, "never signed", seal_pending)
        self.assert_not_recovered("the tree does not tell of")

    def test_it_is_found_by_who_keeps_the_key_and_not_the_signer(self):
        pinned = VerifierKey.parse(AuditLog.objects.get().verifier_key)
        self.forge_signed()
        with self.settings(AUDIT_SIGNER_DIR=Path("/nonexistent/signer")):
            self.assertIn("key_replaced", self.found(pinned=pinned))

    def test_one_under_our_own_name_is_found(self):
        self.forge(note="signed by nobody")
        found = self.found()
        self.assertEqual((found["log_forked"], found["checkpoint_edited"]), (END, END + 1))

    def test_one_that_the_signer_does_not_remember_is_not_recovered_from(self):
        before = {path: path.read_bytes() for path in self.folder.iterdir()}
        self.act()
        seal_pending()
        self.restore_folder(before)  # as whoever has the key, and not the folder, leaves it
        self.assertEqual(self.found(), {"log_forked": END})
        self.assertRaisesRegex(LogForked, "never signed", seal_pending)
        self.assert_not_recovered("never signed")

    def test_a_checkpoint_among_ours_is_found(self):
        self.sign_as_stranger(END - 3, self.plant())
        self.assertEqual(self.found()["checkpoint_edited"], END - 3)

    def test_a_key_alone_is_found_and_neither_given_away_nor_recovered_from(self):
        for epoch in (0, 7):
            log = self.plant(epoch)
            with self.subTest(epoch):
                self.assertIn("key_replaced", self.found())
                self.assert_not_recovered("the tree does not tell of")
                self.assertNotIn(log.verifier_key, self.keys_of_a_bundle())
            Intruder().run("DELETE FROM audit_log WHERE epoch = %s", epoch)

    def keys_of_a_bundle(self) -> str:
        bundle = self.folder.parent / f"{uuid4()}.zip"
        write_bundle(bundle)
        with ZipFile(bundle) as file:
            return file.read("keys").decode()

    @signer_is_lost
    def test_a_key_put_in_the_place_of_a_past_epochs_is_found_and_not_given_away(self):
        with self.settings(AUDIT_SIGNER_DIR=self.folder.parent / "new"):
            call_command("audit_recover", "--reason", "OPS-7", "--confirm", stdout=StringIO())
            self.assertEqual(self.found(), {})
            log, private = AuditLog.objects.get(epoch=1), Ed25519PrivateKey.generate()
            key = str(verifier_key(log.origin, private))
            Intruder().run("UPDATE audit_log SET verifier_key = %s WHERE epoch = 1", key)
            for row in log.checkpoints.all():
                note = sign_note(row.as_checkpoint().text, name=log.origin, private=private)
                Intruder().run("UPDATE audit_checkpoint SET note = %s WHERE size = %s", note, row.size)
            self.assertIn("key_replaced", self.found())
            self.assertNotIn(key, self.keys_of_a_bundle())

    def test_one_put_in_the_place_of_the_signers_is_not_recovered_from(self):
        Intruder().sign_again(Ed25519PrivateKey.generate(), is_key_replaced=True)
        Intruder().remove(SIZES[1], END, is_renumbered=False)
        Intruder().rebuild_tree()
        self.assert_not_recovered("not the signer's")

    def test_what_is_sealed_while_the_signer_is_asked_is_proved(self):
        def act_and_seal():
            self.act()
            seal_pending()
            return AuditCheckpoint.objects.select_related("log").last()

        with mock.patch.object(verification, "last_checkpoint", act_and_seal):
            report = self.verify()
        self.assertEqual((report.faults, report.size), ([], END + 1))
