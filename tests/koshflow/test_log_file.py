"""A laptop's terminal shows what is said to people; the log, which programs read, is a file beside the data."""

import io
import json
import logging
import os
import pty
import tempfile
from pathlib import Path
from unittest import TestCase, mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from koshflow.log_file import FileLines, LaptopLines
from tests import warm
from tests.koshflow.servers import Launch, an_environment
from tests.waiting import until

pytestmark = pytest.mark.embedded


class OnATerminal(Launch):
    """A launch by a person: its output goes to a terminal, whose screen is `output`."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.environment = environment
        self._screen = b""
        self._ours, theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self.process = warm.start(arguments or ("-m", "koshflow.launch"), environment, output=theirs)
        os.close(theirs)

    @property
    def output(self) -> str:
        try:
            while read := os.read(self._ours, 65536):
                self._screen += read
        except OSError:  # nothing there now, or nobody on the other side any more
            pass
        return self._screen.decode().replace("\r\n", "\n")

    def end(self) -> int:
        code = super().end()
        _ = self.output
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1
        return code


class Terminal(TestCase):
    """Everything on it is for people."""

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.folder = Path(home.name) / "var"
        self.file = self.folder / "logs" / "koshflow.log"

    def begin(self, *arguments: str, **environment: str) -> OnATerminal:
        launch = OnATerminal(an_environment(self.folder, **environment), *arguments)
        self.addCleanup(launch.end)
        return launch

    def kept(self) -> list[dict]:
        files = (self.folder / "logs").glob("*.log")
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return sorted(lines, key=lambda line: line["time"])

    def test_a_first_run_with_the_demonstration_a_request_and_a_command(self):
        launch = self.begin("-m", "koshflow.launch", "--demo").until_it_answers()
        with self.subTest("the words for people are there, and none of the log"):
            for words in ("Preparing the database", "Invented people", "shown this once", "data and log in"):
                self.assertIn(words, launch.output)
            self.assertNotRegex(launch.output, r"(?m)^\{|audit_event")
        with self.subTest("nothing is lost: the file has each event's second copy"):
            self.assertGreater(len([line for line in self.kept() if line["event"] == "audit_event"]), 10)
        with self.subTest("what the server tells of requests is there too"):
            launch.get("/")
            until(lambda: "request" in [line["event"] for line in self.kept()], what="the request's line")
        with self.subTest("nobody else reads it"):
            self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        with self.subTest("a command at a terminal prints its answer alone"):
            words = ("staff_create", "--email", "omar@example.in", "--name", "Omar", "--role", "Auditor")
            command = self.begin("manage.py", *words, KOSHFLOW_ENV="local")
            command.process.wait(60)
            self.assertRegex(command.output, r"^Auditor omar@example\.in created; password, shown this once: K\S+\n$")
        launch.end()
        self.assertNotRegex(launch.output, r"(?m)^\{")
        with self.subTest("a server that is given a folder writes there instead of its output"):
            home, logs = self.folder.parent, self.folder.parent / "logs"
            with Launch(an_environment(self.folder, LOG_DIR=str(logs)), home / "output") as server:
                server.until_it_answers()
                wrong = json.dumps({"email": "asha@kaveri.example.in", "password": "wrong"}).encode()
                address = f"http://127.0.0.1:{server.environment['PORT']}/api/auth/login"
                with self.assertRaises(HTTPError) as refused:
                    urlopen(Request(address, wrong, {"Content-Type": "application/json"}))
                refused.exception.close()
                until(lambda: '"event":"request"' in (logs / "koshflow.log").read_text(), what="the line")
                self.assertIn('"event":"audit_event"', (logs / "security.log").read_text())
                self.assertNotRegex(server.output, r"(?m)^\{")

    def test_what_is_wrong_is_named_there_and_told_in_the_file(self):
        self.folder.mkdir(mode=0o700)
        code = (
            "import django; django.setup(); import logging; log = logging.getLogger('koshflow.test');"
            "log.info('well'); log.error('broken', extra={'part': 'disk'}); log.warning('of asha@lotus.example.in')"
        )
        settings = {"KOSHFLOW_ENV": "local", "DJANGO_SETTINGS_MODULE": "koshflow.settings"}
        process = self.begin("-c", code, **settings)
        process.process.wait(60)
        place = f"see {self.file}"
        self.assertEqual(process.output, f"error: broken, {place}\nwarning: koshflow.test, {place}\n")
        self.assertEqual([line["event"] for line in self.kept()][:2], ["well", "broken"])

    def test_without_a_data_folder_the_terminal_gets_the_lines_and_none_is_begun(self):
        settings = {"KOSHFLOW_ENV": "local", "DJANGO_SETTINGS_MODULE": "koshflow.settings"}
        process = self.begin("-c", "import django, logging; django.setup(); logging.error('broken')", **settings)
        process.process.wait(60)
        self.assertEqual(json.loads(process.output)["event"], "broken")
        self.assertFalse(self.folder.exists())


class TheFiles(TestCase):
    """Lines of the security log stand apart from the others, and neither is lost where the folder is."""

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.folder = Path(home.name) / "logs"
        self.handler = FileLines(self.folder)
        self.addCleanup(self.handler.close)

    def tell(self, logger: str, event: str) -> None:
        self.handler.emit(logging.makeLogRecord({"name": logger, "msg": event, "levelno": logging.INFO}))

    def kept(self, name: str) -> list[str]:
        return (self.folder / name).read_text().split()

    def test_by_what_they_tell_of(self):
        for logger in ("security.audit", "security.errors", "koshflow.access", "security.lockout", "securityx"):
            self.tell(logger, logger)
        self.assertEqual(self.kept("security.log"), ["security.audit", "security.lockout"])
        self.assertEqual(self.kept("koshflow.log"), ["security.errors", "koshflow.access", "securityx"])
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.folder / "security.log").stat().st_mode & 0o777, 0o600)

    def test_a_disk_that_is_full_leaves_the_line_to_the_stream(self):
        with (
            mock.patch("monitoring.logs.files.os.write", side_effect=OSError(28, "No space left")),
            mock.patch("sys.stderr", new_callable=io.StringIO) as stream,
        ):
            self.tell("koshflow.access", "request")
        self.assertEqual(stream.getvalue(), "request\n")

    def test_a_terminal_is_shown_the_file_that_has_the_line(self):
        laptop = LaptopLines(self.folder)
        self.addCleanup(laptop.close)
        with mock.patch("sys.stderr", new_callable=io.StringIO) as terminal:
            terminal.isatty = lambda: True
            for name in ("security.lockout", "koshflow.jobs"):
                laptop.emit(logging.makeLogRecord({"name": name, "msg": "odd", "levelno": 30, "levelname": "WARNING"}))
            with mock.patch("monitoring.logs.files.os.write", side_effect=OSError(28, "No space left")):
                laptop.emit(logging.makeLogRecord({"name": "koshflow.jobs", "msg": "full", "levelno": 30}))
        told = [f"warning: odd, see {self.folder / name}" for name in ("security.log", "koshflow.log")]
        self.assertEqual(terminal.getvalue().splitlines(), [*told, "full"])
