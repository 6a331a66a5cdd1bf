"""`manage.py` as a person at a terminal meets it: what it prints is what they asked for, or what to do next."""

import json
import os
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
        """The command ends with 2 and one line that matches `said`."""
        ended = self.run_manage(*arguments, **more)
        lines = ended.stderr.splitlines()
        self.assertEqual((ended.returncode, len(lines), ended.stdout), (2, 1, ""), ended.stderr)
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


class SettingsThatAreWrong(LaptopCase):
    """A line each, with 78; what suits a laptop is told to who has not said that it is one."""

    def test_a_hint_tells_nobody_what_they_have_done(self):
        wrong = {"ALERT_SLACK_URL": "http://hooks.example.in/"}
        ended = self.run_manage("check", **wrong)
        self.assertEqual(ended.returncode, 78)
        self.assertRegex(ended.stderr, r"ALERT_SLACK_URL: must begin with https://.*\n.* lists every variable\.\n$")
        del self.environment["KOSHFLOW_ENV"]
        self.assertRegex(self.run_manage("check", **wrong).stderr, r"KOSHFLOW_ENV=local suits a laptop\.\n$")


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
        self.assertEqual(bare.returncode, 2)
        self.assertRegex(bare.stderr, r"^koshflow: django is not installed for .*; use \.venv/bin/python[^\n]*\n$")

    def test_a_module_of_ours_that_is_missing_is_a_fault_of_ours(self):
        with tempfile.TemporaryDirectory() as hiding:
            ended = self.run_manage("check", **without("accounts.identity.pan", Path(hiding)))
        self.assertIn("Traceback", ended.stderr)


class Replaced(LaptopCase):
    """A command of Django that is not for here fails, and names what is."""

    def test_createsuperuser_makes_nobody(self):
        for arguments in ((), ("--noinput", "--email", "omar@example.in"), ("--skip-checks",)):
            with self.subTest(arguments):
                self.assertRefused("use manage.py staff_create --email", "createsuperuser", *arguments)
        self.assertRefused("use manage.py staff_create", "createsuperuser", KOSHFLOW_ENV="production")

    def test_flush_empties_nothing(self):
        for arguments in ((), ("--noinput",), ("--database", "default")):
            with self.subTest(arguments):
                self.assertRefused(
                    "flush would empty the audit log, .* remove the database instead", "flush", *arguments
                )


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


class WhatCouldNotBeTried(LaptopCase):
    """Ends with 2 before and within every command: a program that judges by 1 must not take it for a finding."""

    def assertNotTried(self, said: str, *arguments: str, **more: str):
        ended = self.run_manage(*arguments, **more)
        self.assertEqual(ended.returncode, 2, ended.stderr)
        self.assertRegex(ended.stderr, said)

    def setUp(self):
        super().setUp()
        self.folder.mkdir(mode=0o700)
        self.keys = {"KEYRING": generate()}

    def test_what_proves_says_1_of_none_of_it(self):
        away = {"DATABASE_URL": "postgres://koshflow:canary@127.0.0.1:1/koshflow", "AUDIT_SYSLOG": "udp://127.0.0.1:1"}
        for command in ("audit_verify", "audit_seal", "audit_forward", "audit_retention", "audit_checkpoint"):
            with self.subTest(command):
                self.assertNotTried("nothing is installed", command)
                self.assertNotTried("the database d(oes|id) not answer", command, **away, **self.keys)

    def test_a_name_or_an_option_that_there_is_not(self):
        self.assertNotTried(
            "Unknown command: 'audit_verfy'. Did you mean audit_verify", "audit_verfy", **self.database()
        )
        self.assertNotTried("unrecognized arguments: --fulll", "audit_verify", "--fulll", **self.database())

    def test_an_argument_that_is_no_text(self):
        for arguments in (("account_recover", "--email", "\udcff"), ("audit_retention", "--hold", "OPS\udcff")):
            ended = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **self.environment, **self.database()},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            with self.subTest(arguments[0]):
                self.assertEqual(ended.returncode, 2)
                self.assertRegex(ended.stderr, f"^koshflow: argument {len(arguments)} is not text in UTF-8; [^\n]+\n$")

    def test_a_setting_that_a_check_refuses(self):
        self.assertNotTried("koshflow.E001", "backup_note", "--status", WEB_THREADS="4", **self.database())

    def test_a_refusal_without_a_code_of_its_own(self):
        self.assertNotTried("there is no database second", "db_advise", "--alias", "second", **self.database())

    def test_a_fault_of_ours(self):
        with tempfile.TemporaryDirectory() as hiding:
            hidden = without("security.tlog.looking", Path(hiding))
            self.assertNotTried("Traceback", "audit_verify", **self.database(), **hidden)

    def test_a_finding_is_1(self):
        self.assertEqual(self.run_manage("migrate", "-v", "0", **self.keys).returncode, 0)
        self.assertEqual(self.run_manage("performance_review", **self.keys).returncode, 1)
        self.assertEqual(self.run_manage("performance_review", "--week", "2026-11-24", **self.keys).returncode, 2)

    def database(self) -> dict[str, str]:
        (self.folder / "koshflow.sqlite3").touch()
        return self.keys


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


class BeforeTheFirstRequest(LaptopCase):
    """The process that serves is ready for it."""

    def test_it_looks_whether_it_can_serve_before_it_is_asked(self):
        starts = ["start_schedule", "start_flushing", "start_flusher", "start_error_flusher", "start_sentry"]
        code = (
            "from unittest import mock; from koshflow import wsgi; from monitoring.health.board import board\n"
            f"with mock.patch.multiple(wsgi, **dict.fromkeys({starts}, mock.DEFAULT)): wsgi.application.after_fork()\n"
            "print(board._watchers['database'].kept()[0].name)"
        )
        ended = warm.python(["-c", code], self.environment | {"KOSHFLOW_ENV": "test"})
        self.assertEqual(ended.stdout.splitlines()[-1:], ["database:responseTime"], ended.stderr)
