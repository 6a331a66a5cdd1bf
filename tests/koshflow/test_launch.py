"""One command runs the product, on a fresh machine and on one where an earlier run was cut short."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from unittest import TestCase

import psutil
import pytest

from security.crypto.keyring import generate
from tests.koshflow.servers import ROOT, Launch, an_environment, refusal, without

pytestmark = pytest.mark.embedded


class FolderCase(TestCase):
    """A data folder of its own, outside which nothing is written."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.folder = self.home / "var"

    def launch(self, **environment: str) -> Launch:
        launch = Launch(an_environment(self.folder, **environment), self.home / "log")
        self.addCleanup(launch.end)
        return launch

    def assertRefused(self, said: str, *, code: int = 2, module: tuple[str, ...] = (), **environment: str):
        """The launch ends with `code` and one line that matches `said`."""
        ended, lines = refusal(an_environment(self.folder, **environment), *module)
        self.assertEqual((ended, len(lines)), (code, 1), lines)
        self.assertRegex(lines[0], f"^koshflow: .*{said}")


class AFreshMachine(FolderCase):
    """The command makes folder, keys, database, static files and the first administrator, and serves."""

    def test_from_nothing_to_an_answer_and_again(self):
        first = self.launch().until_it_answers()
        with self.subTest("it serves the page, its style and the bare server name"):
            page = first.get("/")
            self.assertEqual(page.headers["Server"], "KoshFlow")
            style = re.search(r'href="(/static/[^"]+\.css)"', page.read().decode())[1]
            self.assertEqual(first.get(style).status, 200)
        with self.subTest("what no page of ours loads is not there"):
            collected = self.folder / "static"
            self.assertEqual([path for name in ("redoc", "rest_framework") for path in collected.rglob(name)], [])
            packed = {path.suffixes[-2:][0] for path in collected.rglob("*.gz")}
            self.assertTrue({".css", ".js"} <= packed and ".map" not in packed, packed)
        with self.subTest("nobody else can read what it made"):
            self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
            for path in self.folder.rglob("*"):
                if "static" not in path.parts:  # what anybody may fetch
                    self.assertFalse(path.stat().st_mode & 0o077, path)
        with self.subTest("the administrator's password and what comes next are printed"):
            self.assertRegex(first.output, r"First administrator: admin@localhost\n.*shown this once: K\S{29}\n")
            self.assertIn("second factor", first.output)
        with self.subTest("one process serves"):
            self.assertEqual(len(psutil.Process(first.process.pid).children()), 1)
        with self.subTest("a second worker is not added beside the cache of the first"):
            os.kill(first.process.pid, signal.SIGTTIN)
            first.until_it_says("staying with one")
            self.assertEqual(len(psutil.Process(first.process.pid).children()), 1)
        with self.subTest("a second server on the same data is refused, and on the same port for the same reason"):
            for port in ({}, {"PORT": first.environment["PORT"]}):
                self.assertRefused("a server runs on .* already; stop it", **port)
        with self.subTest("asked to end it ends, and says so last"):
            self.assertEqual(first.end(), 0)
            self.assertEqual(first.output.splitlines()[-1], "KoshFlow stopped.")
        with self.subTest("the password is the last thing that is said before it starts"):
            said = first.output.partition("KoshFlow starts")[0]
            self.assertRegex(said, r"Sign in at \S+/admin/: [^\n]*\n\n$")
        second = self.launch().until_it_answers()
        with self.subTest("the next start makes nothing anew and shows no password"):
            self.assertNotRegex(second.output, "Preparing|Collecting|shown this once")
            self.assertIn("has not signed in", second.output)
            self.assertIn("staff_create --email admin@localhost", second.output)
        second.end()
        with self.subTest("keys of another installation are refused"):
            (self.folder / "keyring.json").write_text(generate())
            self.assertRefused("does not open what is in the database")


class Installing(TestCase):
    """`make` says what it does before each step that takes long and is silent."""

    def test_it_names_the_packages_before_it_fetches_them(self):
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home)
            (folder / "requirements.txt").write_text("# by hand\ndjango==5.2 \\\n    --hash=sha256:0\npyjwt==2\n")
            (folder / ".venv").mkdir()
            # In the place of venv and pip, which would fetch: what they are called with.
            words = ["PYTHON=true", "PIP=echo pip install"]
            ended = subprocess.run(
                ["make", "--no-print-directory", "-f", ROOT / "Makefile", *words, ".venv/.runtime"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            )
            lines = ended.stdout.splitlines()
        self.assertEqual(lines[0], "Making a virtual environment in .venv ...")
        self.assertRegex(lines[1], "^Installing the 2 packages of requirements.txt into .venv")
        self.assertEqual(lines[2], "pip install -r requirements.txt")

    def test_a_virtual_environment_that_lost_its_python_is_made_and_filled_anew(self):
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home)
            for name in ("requirements.txt", "requirements/test.txt"):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text("django==5.2\n")
            # Without pip, whose making takes ten seconds and which nobody calls here.
            (python := folder / "python").write_text('#!/bin/sh\nexec python3 "$@" --without-pip\n')
            python.chmod(0o755)
            words = ["make", "--no-print-directory", "-f", ROOT / "Makefile", "PIP=echo pip install"]
            words += [f"PYTHON={python}", ".venv/.test"]

            def make() -> list[str]:
                ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
                return re.findall("^(?:Making|pip install -r (?:.*))", ended.stdout, re.MULTILINE)

            everything = ["Making", "pip install -r requirements.txt", "pip install -r requirements/test.txt"]
            self.assertEqual(make(), everything)
            self.assertEqual(make(), [])
            (left := folder / ".venv/lib/left").touch()  # pip would take what half of a package left for the package
            shutil.rmtree(folder / ".venv/bin")
            self.assertEqual(make(), everything)
            self.assertFalse(left.exists())
            self.assertEqual(make(), [])


class AHalfDoneRun(FolderCase):
    """What an earlier run began, the next one finishes."""

    def test_killed_in_each_of_its_steps(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "secret_key").write_text("s" * 60)
        (self.folder / "keyring.new").write_text('{"format": 1, "ke')
        for step in ("Preparing the database", "Collecting static files"):
            with self.subTest(step):
                run = self.launch()
                run.until_it_says(step)
                run.process.kill()
                run.process.wait()
        last = self.launch().until_it_answers()
        self.assertIn("Collecting static files", last.output)
        self.assertIn("shown this once", last.output)
        self.assertEqual(last.get("/").status, 200)


class Refusals(FolderCase):
    """Whatever stands in the way is one line that says what to do."""

    def test_a_busy_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertRefused(f"port {port} on 127.0.0.1 is taken; .* PORT={port + 1}", PORT=str(port))
        self.assertFalse(self.folder.exists())  # nothing was begun

    def test_a_port_that_is_none(self):
        for port in ("http", "0", "65536", "-1", "8000 ", "٨٠٠٠"):
            with self.subTest(port):
                self.assertRefused("PORT must be a number from 1 to 65535", PORT=port)

    def test_a_host_that_is_not_here(self):
        self.assertRefused("HOST|listen", HOST="203.0.113.9")

    def test_an_argument(self):
        self.assertRefused("takes no arguments, and --fast is one", code=78, module=("koshflow.launch", "--fast"))

    def test_a_package_that_is_missing(self):
        for package in ("django", "environs", "whitenoise", "gunicorn", "croniter"):
            with self.subTest(package), tempfile.TemporaryDirectory() as hiding:
                self.assertRefused(
                    f"{package} is missing from .*; run `make clean`, then `make run`", **without(package, Path(hiding))
                )

    def test_a_folder_that_is_a_file_or_in_one(self):
        file = self.folder
        file.write_text("")
        for self.folder in (file, file / "deep" / "var"):
            with self.subTest(self.folder):
                self.assertRefused(
                    f"cannot be {self.folder}: {file} is no folder; move it away, or set KOSHFLOW_DATA_DIR"
                )

    def test_a_folder_whose_target_is_gone(self):
        self.folder.symlink_to(self.home / "unplugged")
        self.assertRefused(f"{self.folder} is no folder; move it away")

    def test_a_folder_that_cannot_be_made(self):
        parent = self.home / "theirs"
        parent.mkdir(mode=0o500)
        if os.geteuid() == 0:
            parent = Path("/proc")  # root may write anywhere but there
        self.folder = parent / "koshflow" / "var"
        self.assertRefused(f"cannot make the data folder {self.folder} in {parent} .*; make it yourself, or set")

    def test_a_folder_that_cannot_be_written(self):
        self.folder.mkdir(mode=0o500)
        if os.geteuid() == 0:
            self.folder = Path("/proc/self/fd")  # mode 0500, and nobody writes there
        self.assertRefused("cannot write in the data folder .*make it yours")

    def test_a_folder_that_is_open_to_others(self):
        self.folder.mkdir()
        (self.folder / "something").touch()
        self.folder.chmod(0o755)
        self.assertRefused("open to others; run: chmod 700")

    def test_a_database_without_its_keys(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "koshflow.sqlite3").write_bytes(b"x")
        self.assertRefused("has a database but not its keys; put .*keyring.json back")
        self.assertFalse((self.folder / "keyring.json").exists())

    def test_damaged_keys(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "keyring.json").write_text('{"format": 1')
        self.assertRefused("keyring.json is damaged .*put it back")

    def test_a_second_worker_on_the_cache_inside_the_first(self):
        self.assertRefused("more than one worker needs DATABASE_URL and REDIS_URL", WEB_WORKERS="2")

    def test_a_second_worker_asked_of_the_server_itself(self):
        self.folder.mkdir(mode=0o700)
        self.assertRefused(
            "more than one worker needs DATABASE_URL and REDIS_URL",
            code=78,
            module=("gunicorn", "-c", "python:koshflow.gunicorn_conf", "-w", "2", "koshflow.wsgi"),
            KOSHFLOW_ENV="local",
            SECRET_KEY="s" * 60,
            KEYRING=generate(),
        )

    def test_a_database_that_is_away_and_its_password_is_not_shown(self):
        url = "postgres://koshflow:canary@127.0.0.1:1/koshflow"
        environment = an_environment(self.folder, DATABASE_URL=url)
        code, lines = refusal(environment)
        self.assertEqual((code, len(lines)), (2, 1), lines)
        self.assertRegex(lines[0], "^koshflow: the database does not answer .* correct DATABASE_URL")
        self.assertNotIn("canary", lines[0])

    def test_wrong_settings_are_named_one_a_line(self):
        code, lines = refusal(an_environment(self.folder, KOSHFLOW_ENV="production"))
        self.assertEqual(code, 78)
        self.assertIn("KEYRING", str(lines))
        self.assertTrue(all(re.match("koshflow: [A-Z_]+: ", line) for line in lines), lines)

    def test_the_worker_without_postgresql(self):
        self.assertRefused(
            "the worker needs PostgreSQL",
            code=78,
            module=("koshflow.worker",),
            KOSHFLOW_ENV="local",
            SECRET_KEY="s" * 60,
            KEYRING=generate(),
        )
