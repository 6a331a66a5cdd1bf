"""Old log files go by age and by size, never below their floor, and the audit log tells of it."""

import tempfile
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.management import CommandError
from django.db import DatabaseError

from monitoring.logs.files import aside
from tests.base import CommittingApiTestCase
from tests.commands import output_of

pytestmark = pytest.mark.embedded

NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)


class LogsPrune(CommittingApiTestCase):
    """`manage.py logs_prune`."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.enterContext(self.settings(LOG_DIR=self.folder))
        self.enterContext(patch("monitoring.management.commands.logs_prune.timezone.now", return_value=NOW))
        for name in ("koshflow.log", "security.log", "koshflow.lock", "notes-20200101T000000000000000.log"):
            (self.folder / name).write_text("x" * 10)

    def put(self, stem: str, *, days: int, size: int = 1_000_000) -> Path:
        path = aside(self.folder / f"{stem}.log", at_ns=int((NOW - timedelta(days=days)).timestamp()) * 10**9)
        path.write_bytes(b"x" * size)
        return path

    def prune(self, *arguments: str) -> str:
        self.errors = StringIO()
        return output_of("logs_prune", *arguments, stderr=self.errors)

    def test_without_confirm_nothing_goes(self):
        old = self.put("koshflow", days=400)
        said = self.prune()
        self.assertIn("dry run, nothing was deleted; 1 files of 1,000,000 bytes", said)
        self.assertIn(old.name, said)
        self.assertTrue(old.exists())
        self.assertEqual(self.audited("logs.pruned"), [])

    def test_the_old_go_and_the_event_says_how_many(self):
        old, young = self.put("koshflow", days=366), self.put("koshflow", days=364)
        security = self.put("security", days=400)
        self.assertIn("2 files of 2,000,000 bytes", self.prune("--confirm"))
        self.assertEqual([path.exists() for path in (old, young, security)], [False, True, False])
        (event,) = self.audited("logs.pruned")
        told = {name: event.parsed_leaf().data[name] for name in ("files", "security", "bytes")}
        self.assertEqual(told, {"files": 2, "security": 1, "bytes": 2_000_000})

    def test_none_below_its_floor_goes_whatever_is_asked(self):
        files = [self.put("koshflow", days=179), self.put("security", days=365)]
        gone = [self.put("koshflow", days=181), self.put("security", days=367)]
        self.prune("--days", "0", "--most-mb", "0", "--confirm")
        self.assertTrue(all(path.exists() for path in files))
        self.assertFalse(any(path.exists() for path in gone))
        self.assertIn("2,000,000 bytes more than asked for stay", self.errors.getvalue())

    def test_by_size_the_oldest_go_first(self):
        paths = [self.put("koshflow", days=days) for days in (300, 250, 200)]
        self.prune("--most-mb", "2", "--confirm")
        self.assertEqual([path.exists() for path in paths], [False, True, True])

    def test_a_file_that_is_written_and_a_strangers_stay(self):
        before = sorted(path.name for path in self.folder.iterdir())
        self.assertIn("nothing is old enough", self.prune("--days", "0", "--confirm"))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), before)

    def test_without_the_event_nothing_goes(self):
        old = self.put("koshflow", days=400)
        with patch("monitoring.logs.pruning.record", side_effect=DatabaseError), self.assertRaises(DatabaseError):
            self.prune("--confirm")
        self.assertTrue(old.exists())

    def test_a_folder_of_such_a_name_stays(self):
        folder = self.folder / "koshflow-20200101T000000000000000.log"
        folder.mkdir()
        self.assertIn("nothing is old enough", self.prune("--confirm"))
        self.assertTrue(folder.exists())

    def test_one_that_may_not_be_deleted_is_named(self):
        old = self.put("koshflow", days=400)
        refused = PermissionError(13, "Permission denied", str(old))
        with (
            patch("monitoring.logs.pruning.Path.unlink", side_effect=refused),
            self.assertRaisesMessage(CommandError, f"{old} could not be deleted, nor what comes after it: Permission"),
        ):
            self.prune("--confirm")

    def test_numbers_below_zero_are_refused(self):
        for wrong in (("--days", "-1"), ("--most-mb", "-1")):
            self.assertRaises(CommandError, self.prune, *wrong)
