"""The file that `audit_export` writes: its maker's alone from the first byte, whole or not there, in nobody's place."""

import os
from unittest.mock import patch

from django.core.management import CommandError, call_command
from django.db import OperationalError

from security.tlog import export
from tests.security.tlog.bundles import BundleCase


class BundleFile(BundleCase):
    def written_to(self, path):
        call_command("audit_export", str(path), "--reason", "OPS-8", "--disclose")

    def assertNotWritten(self, path, why: str):
        with self.assertRaisesRegex(CommandError, why) as refused:
            self.written_to(path)
        self.assertEqual(refused.exception.returncode, 2)

    def test_while_it_is_written_it_is_its_makers_alone_and_has_another_name(self):
        self.addCleanup(os.umask, os.umask(0))
        seen = []

        def look(*_, **__):
            seen.append({one.name: one.stat().st_mode & 0o777 for one in self.out.iterdir()})
            return iter([("README", "nothing")])

        with patch.object(export, "_members", look):
            self.written_to(self.path)
        self.assertEqual(seen, [{f"{self.path.name}.partial": 0o600}])
        self.assertEqual({one.name: one.stat().st_mode & 0o777 for one in self.out.iterdir()}, {self.path.name: 0o600})

    def test_one_that_could_not_be_written_whole_is_not_there(self):
        with (
            patch("security.tlog.export.prunings", side_effect=OperationalError("gone")),
            self.assertRaises(OperationalError),
        ):
            self.written_to(self.path)
        self.assertEqual(list(self.out.iterdir()), [])

    def test_what_came_to_its_place_meanwhile_stays(self):
        def another(*_, **__):
            self.path.write_text("theirs")
            return iter([("README", "nothing")])

        with patch.object(export, "_members", another):
            self.assertNotWritten(self.path, "name a new file")
        self.assertEqual(self.path.read_text(), "theirs")

    def test_two_runs_at_once_write_one(self):
        def the_other(*_, **__):
            with patch.object(export, "_members", return_value=iter([])):
                self.assertNotWritten(self.path, "another run is writing")
            return iter([("README", "nothing")])

        with patch.object(export, "_members", the_other):
            self.written_to(self.path)

    def test_a_link_leads_nowhere(self):
        target = self.out / "target"
        self.path.symlink_to(target)
        self.assertNotWritten(self.path, "name a new file")
        self.assertFalse(target.exists())

    def test_where_no_file_can_be_it_says_so(self):
        (self.out / "file").write_text("x")
        for path in (self.out / "file" / "x.zip", self.out / "none" / "x.zip", self.out / ("n" * 300)):
            with self.subTest(path.name[:9]):
                self.assertNotWritten(path, "cannot write")
        self.assertEqual([one.name for one in self.out.iterdir()], ["file"])
