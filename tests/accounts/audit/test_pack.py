"""The auditor pack as a statutory auditor gets it, who believes nothing and has only this file."""

import hashlib
import json
import shlex
import sys
import zipfile
from datetime import UTC, datetime, timedelta

from security.audit import AuditEvent
from security.tlog import AuditAnchor, AuditCheckpoint, seal_pending
from tests.accounts.audit.packs import ENTRY, PackCase
from tests.commands import output_of
from tests.security.tlog.log import switch_off_triggers, switch_on_triggers
from tests.security.trail.trail import run

FILES = {
    "README.txt", "SHA256SUMS", "bundle.zip", "checkpoint.txt", "continuity.csv", "cosigned-checkpoints.txt",
    "edit-log.csv", "edit-log.jsonl", "heartbeats.csv", "retention.json", "summary.json", "verify_bundle.py",
}  # fmt: skip


class AuditorPack(PackCase):
    """What an auditor finds in it, and can check without us."""

    def test_a_stranger_checks_it_by_the_command_that_it_gives(self):
        self.take()
        [command] = [line.strip() for line in self.file("README.txt").decode().splitlines() if "--key" in line][:1]
        key = command.split("'")[1]
        size = AuditCheckpoint.objects.latest("size").size
        self.assertEqual(command, f"python3 verify_bundle.py --key '{key}' --since 0 --until {size} bundle.zip")
        checked = self.stranger(sys.executable, "-I", *shlex.split(command)[1:])
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        self.assertIn(f"signed {size} events", checked.stdout)
        self.assertIn(f"{size} of them are here", checked.stdout)
        readme = self.file("README.txt").decode()
        self.assertIn(f"every event from index 0 up to {size}, which is left out", readme)
        self.assertIn(f'"Events 0 to {size - 1} are whole"', readme)
        self.assertIn(f"\nEvents 0 to {size - 1} are whole.\n", checked.stdout)

    def test_so_he_does_once_the_log_was_recovered(self):
        self.clock.shift(timedelta(minutes=32))  # a living signer would have sealed a heartbeat by then
        with self.settings(AUDIT_SIGNER_DIR=self.folder / "another"):
            output_of("audit_recover", "--reason", "OPS-9", "--confirm")
            self.take()
        readme = self.file("README.txt").decode()
        [command] = [line.strip() for line in readme.splitlines() if line.strip().startswith("python3 verify")]
        self.assertEqual(command.count("--key"), 2)
        self.assertIn("There are 2 keys", readme)
        checked = self.stranger(sys.executable, "-I", *shlex.split(command)[1:])
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_what_is_forged_in_it_is_found(self):
        self.take()
        bare = self.unpacked()
        with zipfile.ZipFile(bare / "bundle.zip") as bundle:
            members = {name: bundle.read(name) for name in bundle.namelist()}
        [entries] = [name for name in members if name.startswith("tile/entries/")]
        members[entries] = members[entries].replace(b"ADMIN", b"VIEWS", 1)
        with zipfile.ZipFile(self.folder / "forged.zip", "w") as bundle:
            for name, content in members.items():
                bundle.writestr(name, content)
        checked = self.stranger(sys.executable, "-I", "verify_bundle.py", str(self.folder / "forged.zip"))
        self.assertEqual(checked.returncode, 1)
        self.assertIn("is not the one that the log has there", checked.stderr)

    def test_each_file_is_named_and_has_its_sum(self):
        self.take()
        sums = dict(reversed(line.split("  ")) for line in self.file("SHA256SUMS").decode().splitlines())
        self.assertEqual({*sums, "SHA256SUMS"}, FILES)
        for name, digest in sums.items():
            self.assertEqual(hashlib.sha256(self.file(name)).hexdigest(), digest, name)
        for name in FILES:
            self.assertIn(f"\n   {name} ", self.file("README.txt").decode())
        summed = self.stranger("/usr/bin/sha256sum", "--check", "--strict", "SHA256SUMS")
        self.assertEqual(summed.returncode, 0, summed.stderr)

    def test_the_edit_log_has_before_and_after_of_each_change(self):
        self.take()
        [row] = [
            row
            for row in self.rows("edit-log.csv")
            if (row["row"], row["column"], row["operation"]) == (self.bilal.email, "role", "update")
        ]
        self.assertEqual((row["before"], row["after"], row["table"]), ("VIEWER", "CUSTOMER", "accounts_user"))
        self.assertEqual((row["actor"], row["company"]), (self.asha.email, self.asha.company.name))
        self.assertEqual((row["action"], row["time"]), ("records.changed", "2032-03-20T11:30:03.000+05:30"))
        event = AuditEvent.objects.get(tree_index=row["index"])
        self.assertEqual(row["hash"], bytes(event.leaf_hash).hex())
        self.assertIn(str(AuditEvent.objects.filter(type="profile.updated").first().event_id), row["told by"])
        text = self.file("edit-log.csv").decode()
        self.assertNotIn(str(self.bilal.subject_id), text)

    def test_the_lines_are_the_events_as_they_were_signed(self):
        self.take()
        lines = [json.loads(line) for line in self.file("edit-log.jsonl").splitlines()]
        self.assertEqual(lines[-1], {"events": len(lines) - 2})
        self.assertGreater(len(lines), 4)
        for line in lines[1:-1]:
            event = AuditEvent.objects.get(tree_index=line["index"])
            leaf = json.dumps(line["event"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            self.assertEqual((leaf, line["hash"]), (bytes(event.leaf), hashlib.sha256(b"\0" + leaf).hexdigest()))
            self.assertIn(event.type, ("records.changed", "record.out_of_band"))

    def test_what_was_written_past_the_application_stands_in_it(self):
        run("UPDATE accounts_user SET role = 'VENDOR' WHERE email = %s", self.bilal.email)
        seal_pending()
        self.take()
        [row] = [row for row in self.rows("edit-log.csv") if row["after"] == "VENDOR"]
        self.assertEqual((row["action"], row["actor"]), ("record.out_of_band", ""))
        self.assertEqual((row["before"], row["row"]), ("CUSTOMER", self.bilal.email))

    def test_gaps_and_missing_triggers_stand_out(self):
        self.clock.shift(900)
        switch_off_triggers("audit_pii")
        with self.assertLogs("security.tlog", "ERROR"):
            ENTRY.run()
        switch_on_triggers()
        self.clock.shift(7200)
        ENTRY.run()
        seal_pending()
        told = json.loads(self.take("--json"))
        self.assertEqual((told["heartbeats"], told["gaps"], told["shortHeartbeats"]), (3, 1, 1))
        gap, short = self.rows("continuity.csv")
        self.assertEqual((gap["finding"], gap["minutes"]), ("gap", "120"))
        self.assertEqual((gap["from"], gap["to"]), ("2032-03-20T11:45:03.000+05:30", "2032-03-20T13:45:03.000+05:30"))
        self.assertEqual((short["finding"], short["from"]), ("triggers", gap["from"]))
        self.assertIn("audit_pii_", short["what"])
        beats = self.rows("heartbeats.csv")
        indexes = [int(beat["index"]) for beat in beats]
        self.assertEqual(indexes, sorted(indexes))
        self.assertLess(int(beats[1]["triggers found"]), int(beats[1]["triggers expected"]))

    def test_a_gap_over_the_end_of_a_year_is_in_the_packs_of_both(self):
        """From a quarter to midnight in India to half past it: in neither year is it longer than 31 minutes."""
        self.clock.move_to(datetime(2032, 3, 31, 18, 15, 3, tzinfo=UTC))
        ENTRY.run()
        self.clock.shift(2700)
        ENTRY.run()
        seal_pending()
        gap = ("2032-03-31T23:45:03.000+05:30", "2032-04-01T00:30:03.000+05:30", "45")
        for year, count in (("2031-32", 2), ("2032-33", 1)):  # in the first, the silence since 20 March too
            told = json.loads(self.take("--json", year=year))
            found = [(row["from"], row["to"], row["minutes"]) for row in self.rows("continuity.csv")]
            self.assertEqual((told["gaps"], found[-1]), (count, gap))

    def test_it_says_what_is_kept_and_what_was_pruned(self):
        self.take()
        told = json.loads(self.file("retention.json"))
        self.assertEqual((told["held"], told["sealed"], told["pruned"]), (told["sealed"],) * 2 + ([],))
        classes = {one["class"]: one for one in told["classes"]}
        self.assertEqual(classes["account"]["floorDays"], 9 * 365 + 3)
        oldest = AuditEvent.objects.filter(audit_class="account").order_by("id").first()
        self.assertEqual(classes["account"]["oldestIndex"], oldest.tree_index)
        self.assertIsNone(classes["books"]["oldestEvent"])
        self.assertIn("Prunings recorded in this year: 0.", self.file("README.txt").decode())

    def test_what_witnesses_signed_goes_along_one_note_a_day(self):
        size = AuditCheckpoint.objects.latest("size").size
        for hours, at in ((0, size - 1), (1, size), (30, size + 1)):
            seen_at = datetime(2032, 3, 20, 6, tzinfo=UTC) + timedelta(hours=hours)
            AuditAnchor.objects.create(sink="w.example", size=at, note=f"note {at}\n", seen_at=seen_at)
        self.take()
        self.assertEqual(self.file("cosigned-checkpoints.txt").decode(), f"note {size}\n\n")

    def test_the_same_log_makes_the_same_pack(self):
        self.take()
        before = self.path.read_bytes()
        self.clock.shift(100)
        self.take()
        self.assertEqual(self.path.read_bytes(), before)
