"""What only a witness finds: a history written anew by somebody who has every key of ours."""

import json
from base64 import b64decode
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from security.tlog import AuditAnchor, AuditCheckpoint, AuditLog, last_signed, seal_pending, witness_checkpoint
from tests.commands import output_of
from tests.ports import free_port
from tests.security.tlog.log import SIZES, Intruder
from tests.security.tlog.witnesses import WitnessedLog

pytestmark = pytest.mark.usefixtures("witness")

BAD = 300


class RewriteCase(WitnessedLog):
    def setUp(self):
        super().setUp()
        witness_checkpoint()
        self.intruder = Intruder()
        self.dead = f"http://127.0.0.1:{free_port()} {self.host.key}"

    def write_anew(self, *, added: int = 0, are_anchors_kept: bool = False) -> None:
        """Take one event out, so that every mark that is left is genuine, and sign all of it again."""
        state = self.folder / "signed.json"
        document = json.loads(state.read_text())
        self.intruder.remove(BAD, BAD + 1, is_renumbered=True)
        self.intruder.run("UPDATE audit_event SET tree_index = NULL WHERE tree_index >= %s", SIZES[1])
        self.intruder.rebuild_tree()
        self.intruder.sign_again(
            Ed25519PrivateKey.from_private_bytes(b64decode(document["key"])), is_key_replaced=False
        )
        state.write_text(json.dumps(document | {"note": last_signed().note}))
        notes = AuditCheckpoint.objects.order_by("size").values_list("note", flat=True)
        (self.folder / "checkpoints.txt").write_text("".join(f"{note}\n" for note in notes))
        if not are_anchors_kept:
            self.intruder.forget_anchors()
        self.act(added)
        seal_pending()


class WrittenAnew(RewriteCase):
    """The intruder has the database and the signer's folder; the witness is elsewhere."""

    def assert_only_the_witness_finds_it(self, said: str) -> None:
        with self.settings(AUDIT_WITNESSES=[]):
            report = self.verify()
            self.assertEqual((report.faults, report.exit_code), ([], 0))
        report = self.verify()
        self.assertEqual([fault.kind for fault in report.faults], ["witness_differs"])
        self.assertIn(said, report.faults[0].what)
        self.assertEqual(report.exit_code, 1)

    def test_a_smaller_tree(self):
        self.write_anew()
        self.assert_only_the_witness_finds_it(f"has cosigned {SIZES[-1]} events, and the database ends at 529")

    def test_another_tree_of_the_same_size(self):
        self.write_anew(added=1)
        self.assert_only_the_witness_finds_it(f"has cosigned another tree of {SIZES[-1]} events")

    def test_a_larger_tree_that_did_not_grow(self):
        self.write_anew(added=30)
        self.assert_only_the_witness_finds_it(f"has cosigned another tree of {SIZES[-1]} events")
        with self.assertLogs("security.tlog", "ERROR") as log:
            self.assertEqual(witness_checkpoint(), 0)
        self.assertEqual(log.records[0].standing, "differs")

    def test_kept_cosignatures_find_it_while_the_witness_is_away(self):
        self.write_anew(added=1, are_anchors_kept=True)
        with self.settings(AUDIT_WITNESSES=[self.dead]):
            self.assert_only_the_witness_finds_it("is not what")

    def test_an_older_copy_with_a_matching_signer(self):
        self.write_anew(are_anchors_kept=True)
        with self.settings(AUDIT_WITNESSES=[self.dead]):
            self.assert_only_the_witness_finds_it("the database has no such checkpoint")

    def test_a_cosignature_that_was_made_up(self):
        self.act(3)
        seal_pending()
        self.intruder.run("UPDATE audit_anchor SET size = %s", SIZES[-1] + 3)
        self.assertEqual(self.found(), {"witness_differs": 0})
        anchor = AuditAnchor.objects.get()
        self.intruder.run("UPDATE audit_anchor SET size = %s, note = %s", SIZES[-1], anchor.note.replace("— w", "— x"))
        self.assertEqual(self.found(), {"witness_differs": 0})

    def test_where_the_kept_ones_still_agree_is_told(self):
        for _ in range(2):
            self.act(3)
            seal_pending()
            witness_checkpoint()
        last = AuditAnchor.objects.latest("size")
        self.intruder.run("UPDATE audit_anchor SET note = 'none' WHERE id = %s", last.pk)
        self.assertEqual(self.found(), {"witness_differs": last.size - 3})


@pytest.mark.embedded  # what is compared is a text and rows that WrittenAnew reads from either store
class Brought(RewriteCase):
    """A note from the witness's own host counts, whatever the database and the settings' URL say."""

    def setUp(self):
        super().setUp()
        self.note = self.folder.parent / "note"
        origin = last_signed().log.origin
        self.note.write_text(output_of("audit_witness", "--folder", self.host.folder, "--show", origin))
        self.addCleanup(self.note.unlink)
        self.enterContext(self.settings(AUDIT_WITNESSES=[self.dead]))

    def run_verify(self, path: Path | None = None) -> tuple[int, str]:
        out = StringIO()
        with self.assertRaises(SystemExit) as ended:
            call_command("audit_verify", "--witness-note", str(path or self.note), stdout=out)
        return ended.exception.code, out.getvalue()

    def test_it_agrees_with_the_log_as_it_was(self):
        self.act(3)
        seal_pending()
        code, said = self.run_verify()
        self.assertEqual(code, 2)  # the witness is away
        self.assertIn("does not answer", said)
        self.assertNotIn("WRONG", said)

    def test_it_differs_from_a_history_written_anew(self):
        for added, words in ((0, "and the database has 529 of them"), (1, "another tree of 530"), (30, "another tree")):
            with self.subTest(added=added):
                if added == 0:
                    self.write_anew()
                self.act(added)
                seal_pending()
                code, said = self.run_verify()
                self.assertEqual(code, 1)
                self.assertIn("WRONG  witness_differs", said)
                self.assertIn(words, said)

    def test_it_is_of_a_log_that_the_database_is_not(self):
        self.intruder.run("UPDATE audit_log SET origin = %s", "testserver/audit/feed/1")
        self.assertIn("which this database is not", self.run_verify()[1])

    def test_of_an_epoch_that_ended_it_cannot_say_more_than_that(self):
        self.intruder.remove(SIZES[1], SIZES[-1], is_renumbered=False)
        self.intruder.rebuild_tree()
        self.intruder.forget_anchors()
        call_command("audit_recover", "--reason", "OPS-7", "--confirm", stdout=StringIO())
        self.assertEqual(AuditLog.objects.count(), 2)
        code, said = self.run_verify()
        self.assertEqual(code, 2, said)
        self.assertIn("compare the event audit_log.recovered", said)

    def test_what_is_no_note_of_a_witness_is_refused(self):
        other = self.folder.parent / "other"
        for content in (AuditCheckpoint.objects.last().note, "nonsense", "", b"\xff"):
            other.write_bytes(content if isinstance(content, bytes) else content.encode())
            with self.subTest(content), self.assertRaisesRegex(CommandError, "--witness-note: ") as raised:
                call_command("audit_verify", "--witness-note", str(other))
            self.assertEqual(raised.exception.returncode, 2)
        other.unlink()
        with self.assertRaisesRegex(CommandError, "No such file"):
            call_command("audit_verify", "--witness-note", str(other))
