"""A long log that several processes look at: they find what one finds, and where."""

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from unittest import TestCase

import pytest

from security.crypto.keyring import generate
from security.tlog.tiles import WIDTH
from tests import warm

pytestmark = pytest.mark.embedded
CHUNK = WIDTH  # a sixteenth of the product's: a shorter log has more chunks than may wait at once
EVENTS = 6 * CHUNK + 40
MAKE = f"from tests.performance.audit_log import *; fill({EVENTS}); assert seal_pending().events == {EVENTS + 1}"
MANAGE = f"""
import django, sys
django.setup()
from django.core.management import execute_from_command_line
from security.tlog import walk
walk.CHUNK = {CHUNK}
execute_from_command_line(sys.argv)
"""


class SeveralProcesses(TestCase):
    """What verifies runs in processes that know nothing but the environment, so the log is that of an installation."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (folder / "keyring.json").write_text(generate())
        (folder / "secret_key").write_text("k" * 60)
        for path in folder.iterdir():
            path.chmod(0o600)
        cls.database = folder / "db.sqlite3"
        cls.environment = {
            "DJANGO_SETTINGS_MODULE": "koshflow.settings",
            "PATH": "/usr/bin:/bin",
            "KOSHFLOW_ENV": "local",
            "KOSHFLOW_DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{cls.database}",
        }
        for arguments in (["migrate", "--verbosity", "0"], ["shell", "-c", MAKE]):
            ended = cls.manage(*arguments)
            assert ended.returncode == 0, ended.stderr

    @classmethod
    def manage(cls, *arguments: str):
        return warm.python(["-c", MANAGE, *arguments], cls.environment)

    def verified(self, processes: int, *arguments: str):
        ended = self.manage("audit_verify", "--json", "--processes", str(processes), *arguments)
        return ended.returncode, json.loads(ended.stdout)

    def tamper(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as database:
            triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                database.execute(f'DROP TRIGGER "{name}"')
            for statement in statements:
                database.execute(statement)
            for _, sql in triggers:
                database.execute(sql)

    def test_find_what_one_finds(self):
        code, report = self.verified(2, "--since", "5")
        self.assertEqual((code, report["events"], report["faults"]), (0, EVENTS + 1 - 5, []), report)
        late, early = 6 * CHUNK + 7, CHUNK + 3
        self.tamper(
            f"UPDATE audit_event SET type = 'edited' WHERE tree_index IN ({late}, {early})",
            f"UPDATE audit_event SET occurred_at = '2020-01-01 00:00:00' WHERE tree_index = {late}",
            "DELETE FROM audit_event WHERE tree_index = 4",
        )
        code, report = self.verified(2)
        found = {fault["kind"]: fault["index"] for fault in report["faults"]}
        self.assertEqual((code, report["firstBadIndex"]), (1, 4))
        self.assertEqual(found, {"event_missing": 4, "column_edited": early, "event_backdated": late})
        self.assertEqual(self.verified(1), (code, report))
        ended = self.manage("audit_verify", "--processes", "0")
        self.assertEqual((ended.returncode, ended.stderr), (2, "CommandError: --processes: 1 to 32\n"))
