"""manage.py auditor_pack: a financial year for a statutory auditor, who believes nothing and has only this file."""

import csv
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import override_settings

from accounts.audit import pack
from accounts.audit.years import FinancialYear
from accounts.identity.models import User
from koshflow.schedule import SCHEDULE
from security.audit import Action, AuditEvent, record
from security.rbac import Role
from security.tlog import AuditAnchor, AuditCheckpoint, seal_pending
from tests.base import CommittingApiTestCase
from tests.factories import asha, bilal, chitra
from tests.security.tlog.log import switch_off_triggers, switch_on_triggers
from tests.security.trail.trail import run

[ENTRY] = [entry for entry in SCHEDULE if entry.name == "audit_heartbeat"]
FILES = {
    "README.txt", "SHA256SUMS", "bundle.zip", "checkpoint.txt", "continuity.csv", "cosigned-checkpoints.txt",
    "edit-log.csv", "edit-log.jsonl", "heartbeats.csv", "retention.json", "summary.json", "verify_bundle.py",
}  # fmt: skip


class PackCase(CommittingApiTestCase):
    """A company and its people, whose role is changed on 20 March 2032, the last weeks of 2031-32."""

    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(override_settings(AUDIT_SIGNER_DIR=self.folder / "signer"))
        self.path = self.folder / "pack.zip"
        traveller = time_machine.travel(datetime(2032, 3, 20, 6, 0, 3, tzinfo=UTC), tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)
        self.asha = asha()
        self.bilal = bilal(company=self.asha.company)
        self.other = chitra()
        for person in (self.bilal, self.other):
            self.promote(person)
        ENTRY.run()
        seal_pending()

    def promote(self, person: User) -> None:
        """As an act of the company's administrator: with an event, and so with an actor."""
        with transaction.atomic():
            record(Action.PROFILE_UPDATED, actor=self.asha.subject, company=person.company.subject)
            person.role = Role.CUSTOMER
            person.save(update_fields=["role"])

    def take(self, *arguments: str, year: str = "2031-32") -> str:
        self.path.unlink(missing_ok=True)
        out = io.StringIO()
        call_command(
            "auditor_pack", "--fy", year, "--output", str(self.path), "--reason", "OPS-8", *arguments, stdout=out
        )
        return out.getvalue()

    def refused(self, words: str, *arguments: str, year: str = "2031-32") -> None:
        before = AuditEvent.objects.count()
        with self.assertRaisesRegex(CommandError, words) as caught:
            self.take(*arguments, year=year)
        self.assertEqual(caught.exception.returncode, 2)
        self.assertEqual(AuditEvent.objects.count(), before)
        self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith("pack")], [])

    def file(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name)

    def rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.file(name).decode("utf-8-sig"))))

    def unpacked(self) -> Path:
        """The pack in a folder with nothing else."""
        bare = self.folder / "bare"
        with zipfile.ZipFile(self.path) as archive:
            archive.extractall(bare)
        return bare

    def stranger(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.unpacked(), env={}, capture_output=True, text=True, timeout=60, check=False
        )

    def seal_year_end(self) -> None:
        """Go past 31 March, where the schedule records another heartbeat."""
        self.clock.shift(timedelta(days=20))
        ENTRY.run()
        seal_pending()


class AuditorPack(PackCase):
    """What an auditor finds in it, and can check without us."""

    def test_a_stranger_checks_it_by_the_command_that_it_gives(self):
        self.take()
        [command] = [line.strip() for line in self.file("README.txt").decode().splitlines() if "--key" in line][:1]
        key = command.split("'")[1]
        self.assertEqual(command, f"python3 verify_bundle.py --key '{key}' bundle.zip")
        checked = self.stranger(sys.executable, "-I", "verify_bundle.py", "--key", key, "bundle.zip")
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        size = AuditCheckpoint.objects.latest("size").size
        self.assertIn(f"signed {size} events", checked.stdout)
        self.assertIn(f"{size} of them are here", checked.stdout)

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

    def test_it_says_what_is_kept_and_what_was_pruned(self):
        self.take()
        told = json.loads(self.file("retention.json"))
        self.assertEqual((told["held"], told["sealed"], told["pruned"]), (told["sealed"],) * 2 + ([],))
        classes = {one["class"]: one for one in told["classes"]}
        self.assertEqual(classes["account"]["floorDays"], 8 * 365 + 2)
        oldest = AuditEvent.objects.filter(audit_class="account").order_by("id").first()
        self.assertEqual(classes["account"]["oldestIndex"], oldest.tree_index)
        self.assertIsNone(classes["books"]["oldestEvent"])
        self.assertIn("None was pruned", self.file("README.txt").decode())

    def test_a_pruning_of_the_year_is_listed_by_its_type(self):
        # Nothing here prunes yet; an event of another type stands for one of this.
        with transaction.atomic():
            record(Action.KEYS_REMOVED, data={"to": 256})
        seal_pending()
        with mock.patch("accounts.audit.retention_proof.PRUNED", "keys.removed"):
            self.take()
        pruned = json.loads(self.file("retention.json"))["pruned"]
        self.assertEqual([one["told"] for one in pruned], [{"to": 256}])
        self.assertIn("Prunings recorded in this year: 1.", self.file("README.txt").decode())

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


class OneCompany(PackCase):
    """A pack of one company has nothing of another."""

    def test_it_is_named_by_gstin_or_id(self):
        company = self.asha.company
        for named in (company.gstin, company.gstin.lower(), str(company.pk), str(company.subject_id)):
            told = json.loads(self.take("--company", named, "--json"))
            # The company, each of its people, and what was done to one: whoever made them here told nobody.
            self.assertEqual((told["company"], told["edits"]), (company.name, 4), named)

    def test_nothing_of_another_company_is_in_it(self):
        run("UPDATE accounts_user SET role = 'VENDOR' WHERE id = %s", self.key(self.other))
        run("UPDATE accounts_user SET is_active = %s", False)  # of all at once, past the application
        seal_pending()
        self.take("--company", self.asha.company.gstin)
        rows = self.rows("edit-log.csv")
        ours = {self.asha.company.name, self.asha.email, self.bilal.email}
        self.assertEqual({row["row"] for row in rows}, ours)
        self.assertEqual({row["action"] for row in rows}, {"records.changed", "record.out_of_band"})
        self.assertNotIn(self.other.email, self.file("edit-log.csv").decode())
        with zipfile.ZipFile(io.BytesIO(self.file("bundle.zip"))) as bundle:
            [entries] = [bundle.read(name) for name in bundle.namelist() if name.startswith("tile/entries/")]
        self.assertNotIn(str(self.other.company.subject_id).encode(), entries)
        self.assertIn(str(self.asha.company.subject_id).encode(), entries)
        self.assertIn(b"audit.heartbeat", entries)
        self.assertIn(b"record.out_of_band", entries)
        checked = self.stranger(sys.executable, "-I", "verify_bundle.py", "bundle.zip")
        self.assertIn("each as it was recorded", checked.stdout)

    def test_a_company_that_was_erased_is_still_found_by_its_pseudonym(self):
        pseudonym = self.asha.company.subject_id
        for person in (self.asha, self.bilal):
            person.delete()
        self.asha.company.delete()
        seal_pending()
        told = json.loads(self.take("--company", str(pseudonym), "--json"))
        self.assertEqual(told["company"], f"{pseudonym} (erased)")
        self.assertGreaterEqual(told["edits"], 1)

    def test_the_event_names_the_company(self):
        self.take("--company", self.asha.company.gstin)
        event = AuditEvent.objects.filter(type="audit.exported").get()
        self.assertEqual(event.company, self.asha.company.subject_id)

    def test_who_is_not_there_is_refused(self):
        self.refused("neither a GSTIN nor", "--company", "Lotus Traders")
        self.refused("no company of this", "--company", "0190a1b2-0000-7000-8000-000000000000")

    def key(self, person: User) -> str:
        return person.pk.hex if connection.vendor == "sqlite" else str(person.pk)


class Refusals(PackCase):
    """Nothing is written and nothing recorded where there is nothing whole to hand out."""

    def test_a_year_that_is_over_must_be_signed_to_its_end(self):
        self.clock.shift(timedelta(days=20))
        self.refused("the end of 2031-32 is not signed yet")
        with transaction.atomic():
            record(Action.PROFILE_UPDATED, actor=self.asha.subject)
        seal_pending()
        told = json.loads(self.take("--json"))
        self.assertEqual(told["recordEnds"], "2032-04-01T00:00:00.000+05:30")
        self.assertEqual(told["gaps"], 1)  # the log was away for the last days of the year

    def test_an_event_of_the_year_that_waits_is_waited_for(self):
        with transaction.atomic():
            record(Action.PROFILE_UPDATED, actor=self.asha.subject)
        self.clock.shift(timedelta(days=20))
        self.refused("is not signed yet")

    def test_before_anything_is_signed_there_is_no_pack(self):
        with mock.patch("security.tlog.store.last_signed", return_value=None):
            self.refused("nothing is signed")

    def test_a_year_of_which_nothing_is_on_record(self):
        for year in ("2030-31", "2032-33"):
            self.refused("nothing of the financial year", year=year)

    def test_what_is_no_year(self):
        for year in ("2031", "2031-33", "31-32", "२०३१-32", "0000-01", "9999-00", ""):
            with self.subTest(year), self.assertRaisesRegex(CommandError, "written as 2026-27"):
                self.take(year=year)

    def test_a_reason_that_may_not_be_kept_for_ever(self):
        self.refused("reason", "--reason", "asked by asha@lotus.example.in")

    def test_a_file_that_is_there_is_never_replaced(self):
        self.path.write_text("mine")
        with self.assertRaisesRegex(CommandError, "name a new file"):
            call_command("auditor_pack", "--fy", "2031-32", "--output", str(self.path), "--reason", "x")
        self.assertEqual(self.path.read_text(), "mine")
        self.assertAudited("audit.exported", times=0)

    def test_half_a_pack_is_never_left(self):
        with (
            mock.patch.object(pack, "retention_proof", side_effect=OSError(28, "No space left on device")),
            self.assertRaisesRegex(CommandError, "cannot write .*: No space left"),
        ):
            self.take()
        self.assertEqual([path.name for path in self.folder.iterdir()], ["signer"])


class TheFile(PackCase):
    def test_it_is_its_makers_alone(self):
        (self.folder / "pack.zip.partial").write_text("of a run that was killed")
        self.take()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["pack.zip", "signer"])

    def test_taking_it_is_an_event_with_the_operator_and_the_reason(self):
        self.take()
        data = self.audited("audit.exported")[0].parsed_leaf().data
        self.assertEqual((data["year"], data["form"], data["reason"]), ("2031-32", "pack", "OPS-8"))
        self.assertTrue(data["operator"])
        self.assertEqual(data["size"], AuditCheckpoint.objects.latest("size").size)

    def test_the_next_year_has_only_its_own(self):
        self.seal_year_end()
        told = json.loads(self.take("--json", year="2032-33"))
        self.assertEqual((told["edits"], told["heartbeats"]), (0, 1))
        self.assertFalse(told["isBegunWithin"])
        self.assertTrue(json.loads(self.take("--json"))["isBegunWithin"])

    def test_years_are_written_one_way(self):
        for text in ("2026-27", "1999-00"):
            self.assertEqual(str(FinancialYear.parse(text)), text)
