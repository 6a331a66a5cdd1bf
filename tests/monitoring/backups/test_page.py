"""The jobs of docs/backups.md: what they leave is whole, and what failed is not told."""

import re
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from unittest import TestCase

import pytest
from django.db import connection
from django.test import TransactionTestCase

from monitoring.backups import known_backups
from tests.docs.reader import Reader
from tests.koshflow.servers import ROOT
from tests.services import postgres_binaries

_JOB = re.compile(r"```sh\n(set -euo pipefail\n.*?)```", re.DOTALL)
_LAPTOP = re.compile(r"```sh\n(\(\n.*?backup_note laptop .*?)```", re.DOTALL)
# A pg_dump that ends well and leaves half.
_HALF = """#!/bin/sh
PATH="${PATH#*:}" command pg_dump "$@"
for file; do :; done
size=$(stat --format=%s "${file#--file=}")
truncate --size=$((size / 2)) "${file#--file=}"
"""


@pytest.mark.real
@pytest.mark.debian_postgres
class TheJob(TransactionTestCase):
    """Pasted as it stands, on the database of this test."""

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.reader = Reader(Path(home.name))
        self.folder = self.reader.home / "lib-backups"
        self.folder.mkdir()
        [self.job] = _JOB.findall((ROOT / "docs" / "backups.md").read_text())
        place = connection.settings_dict
        names = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
        service = [f"{key}={place[name]}" for key, name in names.items() if place[name]]
        (self.reader.home / "etc" / "pg_service.conf").write_text("\n".join(["[koshflow]", *service, ""]))
        url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**place)
        programs = postgres_binaries().program.parent
        self.environment = {"KOSHFLOW_ENV": "test", "DATABASE_URL": url}
        self.environment["PATH"] = f"{self.reader.home / 'bin'}:{programs}:{self.reader.environment['PATH']}"

    def run_job(self, **more):
        return self.reader.paste(self.job, **self.environment, **more)

    def test_it_leaves_a_whole_dump_and_tells_of_it(self):
        self.run_job()
        [file] = self.folder.iterdir()
        self.assertEqual(file.stat().st_mode & 0o077, 0)
        [known] = known_backups()
        self.assertEqual((known.target, known.size_bytes), ("nightly", file.stat().st_size))
        listed = subprocess.run(
            ["pg_restore", "--list", file], capture_output=True, text=True, check=True, env=self.environment
        )
        self.assertIn("TABLE DATA public audit_event", listed.stdout)

    def test_half_a_dump_is_not_told(self):
        broken = self.reader.home / "bin" / "pg_dump"
        broken.parent.mkdir()
        broken.write_text(_HALF)
        broken.chmod(0o755)
        self.run_job(code=1)
        self.assertEqual(known_backups(), [])
        self.assertEqual([file.suffix for file in self.folder.iterdir()], [".partial"])


@pytest.mark.embedded
class OnOneLaptop(TestCase):
    """Pasted at a terminal, which goes on after a line that fails; `backup_note` is heard instead of run."""

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.reader = Reader(Path(home.name))
        self.reader.folder.mkdir()
        self.live = self.reader.folder / "koshflow.sqlite3"
        with closing(sqlite3.connect(self.live)) as made, made:
            made.execute("CREATE TABLE paid (id INTEGER PRIMARY KEY, note TEXT UNIQUE)")
            made.executemany("INSERT INTO paid (note) VALUES (?)", ((f"{number:0200}",) for number in range(500)))

    def paste(self):
        """What the terminal says, with the mask that it has afterwards in its last line."""
        [job] = _LAPTOP.findall((ROOT / "docs" / "backups.md").read_text())
        told = job.replace(".venv/bin/python manage.py backup_note", "printf 'told %s\\n'")
        ended = subprocess.run(
            ["bash"],
            input=self.reader.here(f"umask 022\n{told}umask\n"),
            env=self.reader.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout.splitlines()

    def backups(self):
        return sorted(path.name for path in (self.reader.folder / "backups").iterdir())

    def test_a_copy_that_is_damaged_is_left_as_partial_and_not_told(self):
        whole = self.live.read_bytes()
        half = len(whole) // 2
        self.live.write_bytes(whole[:half] + bytes(4096) + whole[half + 4096 :])
        self.assertEqual(self.paste(), ["0022"])
        self.assertEqual(self.backups(), ["partial.sqlite3"])
        self.live.write_bytes(whole)
        self.assertEqual(self.paste(), ["told laptop", "told --size", f"told {len(whole)}", "0022"])
        [name] = self.backups()
        self.assertRegex(name, r"^koshflow-\d{8}T\d{6}Z\.sqlite3$")
