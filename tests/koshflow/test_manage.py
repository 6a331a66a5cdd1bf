"""`manage.py` as a person at a terminal meets it: what it prints is what they asked for, or what to do next."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

import pytest

from security.crypto.keyring import generate
from tests import warm
from tests.koshflow.servers import ROOT, without
from tests.koshflow.test_settings import run_manage

pytestmark = pytest.mark.embedded
STAFF_CREATE = ("staff_create", "--email", "omar@example.in", "--name", "Omar Sheikh", "--role", "Auditor")
NEEDY = (STAFF_CREATE, ("account_recover", "--email", "asha@example.in"), ("shell", "-c", "print(1)"), ("migrate",))


class LaptopCase(TestCase):
    """A laptop with a data folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "var"
        self.environment = {"KOSHFLOW_ENV": "local", "KOSHFLOW_DATA_DIR": str(self.folder), "BCRYPT_ROUNDS": "4"}

    def run_manage(self, *arguments: str, **more: str):
        return run_manage(self.environment | more, *arguments)

    def assertRefused(self, said: str, *arguments: str, **more: str):
        """The command ends with 1 and one line that matches `said`."""
        ended = self.run_manage(*arguments, **more)
        lines = ended.stderr.splitlines()
        self.assertEqual((ended.returncode, len(lines), ended.stdout), (1, 1, ""), ended.stderr)
        self.assertRegex(lines[0], f"^koshflow: .*{said}")
        self.assertNotIn("canary", lines[0])


class BeforeTheFirstRun(LaptopCase):
    """A command that needs an installation says how to get one, and begins none."""

    def test_it_names_the_next_step_and_leaves_nothing_behind(self):
        for arguments in NEEDY:
            with self.subTest(arguments[0]):
                self.assertRefused(
                    f"nothing is installed in .*, and {arguments[0]} needs it; run `make run`", *arguments
                )
        self.assertFalse(self.folder.exists())
        self.folder.mkdir(mode=0o700)
        self.assertRefused("run `make run`", *STAFF_CREATE)
        # A database file made here would make the first launch look for its lost keys.
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_what_needs_no_installation_runs(self):
        for arguments in ((), ("help",), ("help", "staff_create"), ("staff_create", "--help"), ("--version",)):
            with self.subTest(arguments):
                self.assertEqual(self.run_manage(*arguments).returncode, 0)

    def test_a_database_without_its_keys(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "koshflow.sqlite3").touch()
        self.assertRefused("has a database but not its keys; put .*keyring.json back", *STAFF_CREATE)


class LevelOfTheLog(LaptopCase):
    """The log can be made quieter, and the second copy of the audit log stays in it."""

    def test_no_level_silences_it(self):
        names = ("security.audit", "security.tlog", "security.else")
        said = f"import logging; print([logging.getLogger(name).isEnabledFor(logging.INFO) for name in {names}])"
        ended = self.run_manage("shell", "-v0", "-c", said, KOSHFLOW_ENV="test", LOG_LEVEL="CRITICAL")
        self.assertEqual(ended.stdout, "[True, True, False]\n", ended.stderr)


class APackageThatIsMissing(LaptopCase):
    """Half of .venv is gone: one line names the package and what makes it anew."""

    def test_it_is_named(self):
        for package in ("django", "environs", "rest_framework"):
            with self.subTest(package), tempfile.TemporaryDirectory() as hiding:
                self.assertRefused(
                    f"{package} is missing from .*; run `make clean`, then `make run`",
                    "check",
                    **without(package, Path(hiding)),
                )

    def test_a_python_that_is_not_ours(self):
        bare = subprocess.run(
            [sys._base_executable, "-S", "manage.py", "check"],
            cwd=ROOT,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(bare.returncode, 1)
        self.assertRegex(bare.stderr, r"^koshflow: django is not installed for .*; use \.venv/bin/python[^\n]*\n$")

    def test_a_module_of_ours_that_is_missing_is_a_fault_of_ours(self):
        with tempfile.TemporaryDirectory() as hiding:
            ended = self.run_manage("check", **without("accounts.identity.pan", Path(hiding)))
        self.assertIn("Traceback", ended.stderr)


class Replaced(LaptopCase):
    """Where one of ours stands in the place of a command of Django, that one fails and names ours."""

    def test_createsuperuser_makes_nobody(self):
        for arguments in ((), ("--noinput", "--email", "omar@example.in"), ("--skip-checks",)):
            with self.subTest(arguments):
                self.assertRefused("use manage.py staff_create --email", "createsuperuser", *arguments)
        self.assertRefused("use manage.py staff_create", "createsuperuser", KOSHFLOW_ENV="production")


class StoresThatDoNotFit(LaptopCase):
    """A database or ring that is away, not prepared or unreadable is one line, without what is secret."""

    def test_a_database_that_is_away(self):
        url = "postgres://koshflow:canary@127.0.0.1:1/koshflow"
        self.assertRefused(
            "the database does not answer .*correct DATABASE_URL", *STAFF_CREATE, KEYRING=generate(), DATABASE_URL=url
        )

    def test_a_database_that_was_not_migrated(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "koshflow.sqlite3").touch()
        with self.subTest("one line"):
            self.assertRefused("not prepared for this release .*run `make run`", *STAFF_CREATE, KEYRING=generate())
        with self.subTest("whoever looks for a fault of ours still gets it all"):
            ended = self.run_manage(*STAFF_CREATE, "--traceback", KEYRING=generate())
            self.assertIn("Traceback", ended.stderr)

    def test_a_database_that_is_damaged(self):
        self.folder.mkdir(mode=0o700)
        keys = {"KEYRING": generate()}
        self.assertEqual(self.run_manage("migrate", "-v", "0", **keys).returncode, 0)
        file = self.folder / "koshflow.sqlite3"
        whole = file.read_bytes()
        for name, spoilt in (
            ("its pages", whole[:4096] + b"\xff" * (len(whole) - 4096)),
            ("all", b"\xff" * len(whole)),
        ):
            with self.subTest(name):
                file.write_bytes(spoilt)
                self.assertRefused(
                    f"the database {file} is damaged .*put your copy of it back, or", *STAFF_CREATE, **keys
                )

    def test_a_ring_that_is_none(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "koshflow.sqlite3").touch()
        self.assertRefused("put the ring back", *STAFF_CREATE, KEYRING="canary" * 20)


class WhatACommandPrints(LaptopCase):
    """Standard output holds the answer alone; lines of the log and the audit trail's second copy go beside it."""

    def test_the_answer_stands_alone(self):
        keys = {"KEYRING": generate()}
        self.folder.mkdir(mode=0o700)
        self.assertEqual(self.run_manage("migrate", "-v", "0", **keys).returncode, 0)
        ended = self.run_manage(*STAFF_CREATE, **keys)
        self.assertRegex(ended.stdout, r"^Auditor omar@example\.in created; password, shown this once: K\S+\n$")
        lines = [json.loads(line) for line in ended.stderr.splitlines()]
        self.assertEqual([line["event"] for line in lines], ["audit_event"])
        self.assertEqual(len(lines[0]["leaf_hash"]), 64)

    def test_in_a_process_that_serves_the_log_is_its_standard_output(self):
        code = "import koshflow.wsgi, logging; logging.getLogger('koshflow.test').warning('hello')"
        ended = warm.python(["-c", code], self.environment | {"KOSHFLOW_ENV": "test"})
        self.assertEqual(json.loads(ended.stdout)["event"], "hello")
        self.assertEqual(ended.stderr, "")
