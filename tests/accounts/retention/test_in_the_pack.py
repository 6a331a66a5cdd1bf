"""The auditor pack of years of which retention took events out."""

import json
import shlex
import subprocess
import sys
import tempfile
import zipfile
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from tests.accounts.retention.keeping import OF_EACH, Keeping


class InThePack(Keeping):
    """A pruning is told where it was done, and what it took out of another year is not taken for left out."""

    def unpacked(self, year: str) -> Path:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        given = ("--fy", year, "--output", str(folder / "pack.zip"), "--reason", "OPS-8")
        call_command("auditor_pack", *given, stdout=StringIO())
        with zipfile.ZipFile(folder / "pack.zip") as pack:
            pack.extractall(folder)
        return folder

    def checked(self, folder: Path) -> str:
        [told] = [line for line in (folder / "README.txt").read_text().splitlines() if " --key " in line]
        command = (sys.executable, "-I", *shlex.split(told)[1:])
        done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_the_year_in_which_it_was_done_tells_of_it(self):
        plan = self.prune("--class", "noise")
        folder = self.unpacked("2026-27")
        [pruned] = json.loads((folder / "retention.json").read_text())["pruned"]
        self.assertEqual(pruned["told"]["plan"], str(plan))
        self.assertIn("Prunings recorded in this year: 1.", (folder / "README.txt").read_text())

    def test_the_year_from_which_it_took_is_still_proved(self):
        self.prune()
        folder = self.unpacked("2024-25")
        self.assertEqual(self.checked(folder).count(f" tells of {OF_EACH} archived and deleted: "), 3)
        self.assertIn("the log begins there", (folder / "README.txt").read_text())  # its first event is kept
        self.assertIn("what retention took out is told by", (folder / "README.txt").read_text())

    def test_a_log_whose_beginning_went_is_not_said_to_begin_later(self):
        self.intruder.remove(0, self.base + 1, is_renumbered=False)  # as retention does when each class is over
        folder = self.unpacked("2024-25")
        told = json.loads((folder / "summary.json").read_text())
        self.assertEqual((told["isBegunWithin"], told["isBeginningGone"]), (False, True))
        text = (folder / "README.txt").read_text()
        self.assertNotIn("the log begins there", text)
        self.assertIn("no longer held here", text)
