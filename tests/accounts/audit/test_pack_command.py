"""manage.py auditor_pack: whose year it takes, what it refuses, and the file that it leaves."""

import io
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.audit import pack
from accounts.audit.retention_proof import retention_proof
from accounts.audit.years import FinancialYear
from accounts.identity.models import User
from security.audit import Action, AuditEvent, record
from security.tlog import AuditCheckpoint, seal_pending
from tests.accounts.audit.packs import ENTRY, PackCase
from tests.security.trail.trail import run


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
        self.assertIn("A selection: nobody can say whether it is whole.\n", checked.stdout)
        self.assertIn('"A selection: nobody can say', self.file("README.txt").decode())

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

    def test_a_year_that_has_just_begun_needs_its_first_signed_event(self):
        """Else the record would end before the year, and its bundle hold nothing from place 0 up to place 0."""
        self.clock.move_to(datetime(2032, 3, 31, 18, 30, 2, tzinfo=UTC))
        self.refused("nothing of 2032-33 is signed yet", year="2032-33")
        ENTRY.run()
        self.refused("nothing of 2032-33 is signed yet", year="2032-33")
        seal_pending()
        told = json.loads(self.take("--json", year="2032-33"))
        size = AuditCheckpoint.objects.latest("size").size
        self.assertEqual((told["firstIndex"], told["endIndex"]), (size - 1, size))

    def test_an_event_of_the_year_that_waits_is_waited_for(self):
        self.seal_year_end()
        self.clock.shift(-timedelta(days=20))
        with transaction.atomic():  # as one that was committed late
            record(Action.PROFILE_UPDATED, actor=self.asha.subject)
        self.clock.shift(timedelta(days=20))
        self.refused("is not signed yet")
        seal_pending()
        self.take()

    def test_before_anything_is_signed_there_is_no_pack(self):
        with mock.patch("security.tlog.store.last_signed", return_value=None):
            self.refused("nothing is signed")

    def test_a_year_of_which_nothing_is_on_record(self):
        for year in ("2030-31", "2032-33"):
            self.refused("nothing of the financial year", year=year)

    def test_what_is_no_year(self):
        for year in ("2031", "2031-33", "31-32", "२०३१-32", "0000-01", "0001-02", "1999-00", "9999-00", ""):
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

    def test_nor_one_that_comes_while_the_pack_is_made(self):
        def comes(scope):
            self.path.write_text("mine")
            return retention_proof(scope)

        with (
            mock.patch.object(pack, "retention_proof", comes),
            self.assertRaisesRegex(CommandError, "name a new file"),
        ):
            self.take()
        self.assertEqual(self.path.read_text(), "mine")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["pack.zip", "signer"])

    def test_two_that_are_made_at_once_do_not_become_one(self):
        def comes(scope):
            with self.assertRaisesRegex(CommandError, "another run is writing"):
                self.take()
            return retention_proof(scope)

        with mock.patch.object(pack, "retention_proof", comes):
            self.take()
        with zipfile.ZipFile(self.path) as archive:
            self.assertIsNone(archive.testzip())

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

    def test_what_a_killed_run_left_of_a_finished_one_is_not_that_one(self):
        self.take()
        kept, content = self.folder / "kept.zip", self.path.read_bytes()
        (self.folder / "pack.zip.partial").hardlink_to(self.path)
        self.path.rename(kept)
        self.take()
        self.assertEqual(kept.read_bytes(), content)
        self.assertFalse(kept.samefile(self.path))

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
        for text in ("2026-27", "2000-01", "2099-00"):
            self.assertEqual(str(FinancialYear.parse(text)), text)
