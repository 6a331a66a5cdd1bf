"""`audit_retention --run`: events go by class, archived before, and everything else stays provable."""

import errno
import gzip
import json
import os
import tempfile
from unittest.mock import patch

from django.core.management import call_command
from django.db import transaction

from security.audit import Action, AuditEvent, AuditPii, record
from security.retention import pruning as retention
from security.tlog import AuditCheckpoint, AuditPruned, prove, seal_pending, verify_bundle
from security.tlog.store import stored_nodes
from security.tlog.tree import consistency_proof, verify_consistency
from tests.accounts.retention.keeping import OF_EACH, WHOLE, Keeping
from tests.faults.small_disk import small_disk


class Pruning(Keeping):
    """The three classes whose year is over go, the fourth stays; no root, checkpoint or proof changes."""

    def test_what_goes_is_archived_byte_for_byte_and_gone(self):
        leaves = {index: bytes(leaf) for index, leaf in AuditEvent.objects.values_list("tree_index", "leaf")}
        plan = self.agreed()
        done = self.run_plan(plan)
        gone = {one["class"]: one["deleted"] for one in done}
        self.assertEqual(gone, dict.fromkeys(("auth", "access", "noise"), OF_EACH))
        self.assertEqual(self.left(), {"account": OF_EACH})
        self.assertFalse(AuditPii.objects.exclude(event__in=AuditEvent.objects.all()).exists())
        path = self.file(plan, "noise")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        head, *lines, tail = map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
        self.assertEqual((head["plan"], head["class"], tail["events"]), (str(plan), "noise", OF_EACH))
        for line in lines:
            leaf = json.dumps(line["event"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            self.assertEqual(leaf, leaves[line["index"]])
            self.assertEqual([value["field"] for value in line["pii"]], ["address"])
        self.assertEqual([path.name for path in self.archive.iterdir() if path.name.endswith("partial")], [])

    def test_the_log_is_proved_after_it(self):
        self.prune()
        report = self.verify()
        self.assertEqual((report.faults, report.not_verified, report.pruned), ([], [], 3 * OF_EACH))
        self.assertEqual(self.verify(since=280).faults, [])
        said = self.output("audit_verify")
        self.assertIn(f"{3 * OF_EACH} archived", said)
        self.assertIn("\nProved.", said)

    def output(self, *command: str) -> str:
        with tempfile.TemporaryFile("w+") as out:
            call_command(*command, stdout=out)
            out.seek(0)
            return out.read()

    def test_the_event_says_what_went_and_by_whom(self):
        plan = self.prune("--class", "noise")
        data = self.audited("audit.pruned")[0].parsed_leaf().data
        told = {name: data[name] for name in ("plan", "class", "count", "first")}
        self.assertEqual(told, {"plan": str(plan), "class": "noise", "count": OF_EACH, "first": self.base + 1})
        people = (str(self.omar.user.subject_id), str(self.ivy.user.subject_id))
        self.assertEqual((data["proposed_by"], data["approved_by"]), people)

    def test_proofs_of_the_others_and_from_old_checkpoints_hold(self):
        self.prune()
        last = AuditCheckpoint.objects.exclude(note="").order_by("-size").first()
        for event in AuditEvent.objects.filter(tree_index__in=[self.base + at for at in (2, 254, 298)]):
            key = verify_bundle.parse_key(last.log.verifier_key)
            self.assertTrue(verify_bundle.verify_single(prove(event).text, bytes(event.leaf), [key]))
        old, new = self.early, last
        proof = consistency_proof(stored_nodes(), old=old.size, new=new.size)
        verify_consistency(old=old.size, old_root=bytes(old.root), new=new.size, new_root=bytes(new.root), proof=proof)

    def test_the_log_goes_on_and_is_pruned_again(self):
        self.prune("--class", "noise")
        self.act(20)
        seal_pending()
        self.clock.advance(seconds=200 * 86_400)
        self.act(4)
        self.prune("--class", "noise")
        self.assertEqual(self.found(), {})
        self.assertEqual(self.verify().pruned, OF_EACH + 2 + 5)

    def test_what_tells_of_a_pruning_or_of_a_recovery_never_goes(self):
        self.prune("--class", "noise")
        with transaction.atomic():
            record(Action.AUDIT_LOG_RECOVERED)
        self.clock.advance(seconds=9 * 366 * 86_400)
        self.act(4)
        seal_pending()
        self.prune()
        self.assertEqual((len(self.audited("audit.pruned")), len(self.audited("audit_log.recovered"))), (1 + 5, 1))
        self.assertEqual(self.audited("retention.proposed")[0].occurred_at.year, 2035)
        self.assertEqual(self.found(), {})

    def test_nor_does_what_tells_of_an_erasure(self):
        with transaction.atomic():
            kept = record(Action.AUDIT_EXPORTED, target=self.chitra.subject, pii={"about": "Chitra"})
            erased = record(Action.SUBJECT_ERASED, target=self.chitra.subject)
        AuditPii.objects.filter(event=kept).delete()
        seal_pending()
        self.clock.advance(seconds=9 * 366 * 86_400)
        self.prune("--class", "account")
        self.assertEqual(self.left(), {name: OF_EACH for name in WHOLE if name != "account"})
        self.assertTrue(AuditEvent.objects.filter(pk=erased.pk).exists())
        self.assertEqual(self.found(), {})

    def test_running_it_again_deletes_nothing_more(self):
        plan = self.prune()
        self.assertEqual([one["deleted"] for one in self.run_plan(plan)], [0, 0, 0])
        self.assertEqual(len(self.audited("audit.pruned")), 3)


class Interrupted(Keeping):
    """Wherever a run ends, nothing is deleted that is not archived, and it may be run again."""

    def prepare(self):
        self.plan = self.agreed("--class", "noise")

    def run_until(self, where: str, **options) -> None:
        """As a process that is killed there."""
        with patch(f"security.retention.pruning.{where}", **(options or {"side_effect": KeyboardInterrupt})):
            self.assertRaises(KeyboardInterrupt, self.run_plan, self.plan)

    def finish(self) -> None:
        [done] = self.run_plan(self.plan)
        self.assertEqual((done["deleted"], self.found()), (OF_EACH, {}))
        self.assertNotIn("noise", self.left())
        self.assertEqual(len(self.audited("audit.pruned")), 1)

    def test_a_disk_that_is_full_from_the_beginning(self):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with patch("security.retention.archive._write", side_effect=full):
            self.assertIn("No space left", self.refused("--run", self.plan, "--archive", self.archive))
        self.assertEqual((self.left(), list(self.archive.iterdir())), (WHOLE, []))
        self.assertAudited("audit.pruned", times=0)
        self.finish()

    def test_a_disk_that_is_full_in_the_middle_of_the_archive(self):
        with small_disk(self.archive, kib=4):
            self.assertIn("No space left", self.refused("--run", self.plan, "--archive", self.archive))
            self.assertEqual(list(self.archive.iterdir()), [])
        self.assertEqual((self.left(), self.found()), (WHOLE, {}))
        self.assertAudited("audit.pruned", times=0)
        self.finish()

    def test_after_the_archive_and_before_the_event(self):
        with (
            patch("security.retention.pruning._store_places", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.run_plan(self.plan)
        self.assertEqual(self.left(), WHOLE)
        self.assertTrue(self.file(self.plan, "noise").exists())
        self.finish()

    def test_two_runs_at_once_tell_of_it_once(self):
        """The other one, on another host, has stored its places while this one wrote its archive."""
        AuditPruned.objects.create(plan=self.plan, audit_class="noise", tile=0, places=bytes(32))
        self.assertIn("another run", self.refused("--run", self.plan, "--archive", self.archive))
        self.assertEqual(self.left(), WHOLE)
        self.assertAudited("audit.pruned", times=0)

    def test_after_the_event_and_before_the_seal(self):
        real, calls = seal_pending, []

        def second_dies():
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            real()

        self.run_until("seal_pending", new=second_dies)
        self.assertEqual((self.left(), self.found()), (WHOLE, {}))
        self.finish()

    def test_in_the_middle_of_deleting(self):
        real = retention.take_out

        def dies_at_the_second(rows):
            if "noise" in self.left() and self.left()["noise"] < OF_EACH:
                raise KeyboardInterrupt
            return real(rows)

        with (
            patch("security.retention.pruning.BATCH", 1),
            patch("security.retention.pruning.take_out", dies_at_the_second),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.run_plan(self.plan)
        self.assertTrue(0 < self.left()["noise"] < OF_EACH)
        self.assertEqual(self.found(), {})
        [done] = self.run_plan(self.plan)
        self.assertNotIn("noise", self.left())
        self.assertEqual(self.found(), {})
        self.assertTrue(done["deleted"])

    def test_an_event_that_is_not_sealed_lets_nothing_go(self):
        real, calls = seal_pending, []

        def second_does_nothing():
            calls.append(1)
            return real() if len(calls) != 2 else None

        with patch("security.retention.pruning.seal_pending", second_does_nothing):
            self.assertIn("waits to be sealed", self.refused("--run", self.plan, "--archive", self.archive))
        self.assertEqual(self.left(), WHOLE)
        self.finish()

    def test_an_archive_that_does_not_read_back_lets_nothing_go(self):
        def lies(path):
            archive = real(path)
            archive.digest.add(10**6, b"")
            return archive

        real = retention.read_archive
        with patch("security.retention.archive.read_archive", lies):
            self.assertIn("does not hold what was written", self.refused("--run", self.plan, "--archive", self.archive))
        self.assertEqual(self.left(), WHOLE)
        self.finish()

    def test_a_file_of_that_name_is_never_replaced(self):
        self.archive.mkdir()
        path = self.file(self.plan, "noise")
        path.write_bytes(b"somebody's")
        self.assertIn("move it away", self.refused("--run", self.plan, "--archive", self.archive))
        self.assertEqual((self.left(), path.read_bytes()), (WHOLE, b"somebody's"))

    def test_once_begun_it_deletes_nothing_while_the_archive_is_elsewhere_or_changed(self):
        with (
            patch("security.retention.pruning._delete", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.run_plan(self.plan)
        path = self.file(self.plan, "noise")
        moved = path.rename(path.with_name("elsewhere"))
        self.assertIn("No such file", self.refused("--run", self.plan, "--archive", self.archive))
        path.write_bytes(gzip.compress(gzip.decompress(moved.read_bytes()), mtime=0, compresslevel=1))
        self.assertIn("not the file that was written", self.refused("--run", self.plan, "--archive", self.archive))
        self.assertEqual(self.left(), WHOLE)
        path.unlink()
        moved.rename(path)
        self.finish()
