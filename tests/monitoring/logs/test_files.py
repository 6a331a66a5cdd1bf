"""Roll-over loses no line, whoever writes and whoever rolls over; each line stays one valid JSON object."""

import json
import logging
import multiprocessing
import os
import resource
import tempfile
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import pytest

from monitoring.logs import JsonFormatter, LineFile
from monitoring.logs.files import aside
from tests.faults.form import report, sized

pytestmark = pytest.mark.embedded  # no store is asked

FORK = multiprocessing.get_context("fork")
# What ends a line, a string or a record for some reader, and what is no character at all.
HOSTILE = (
    "\n", "\r\n", "\u2028", "\u2029", "\x85", "\x00", "\x1b[2J", '"}\n{"event":"forged"}', "\\", "\\n", "\ud800",
    "\u202e", "%0a", "${jndi:x}", "\v\f", "\x7f", "a" * 5000, "नमस्ते", "🙂", "}", "\t",
)  # fmt: skip


def write(path: Path, who: int, times: int, most_bytes: int) -> None:
    """A process that logs hostile texts under its own number."""
    file, formatter = LineFile(path, most_bytes=most_bytes), JsonFormatter()
    for number in range(times):
        text = HOSTILE[number % len(HOSTILE)]
        record = logging.makeLogRecord(
            {"name": "test", "msg": "told", "levelname": "INFO", "who": who, "number": number}
        )
        record.text = record.__dict__[f"name{text[:20]}"] = text
        file.write(formatter.format(record) + "\n")


class RollOver(TestCase):
    """Four processes, and a file that is full every few lines (promise H52)."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "koshflow.log"

    def lines(self) -> list[dict]:
        found = []
        for path in self.path.parent.glob("*.log"):
            for line in path.read_bytes().split(b"\n")[:-1]:
                found.append(json.loads(line))
        return found

    def test_no_line_of_four_processes_is_lost_or_torn(self):
        times = sized(2000, 20_000)
        processes = [FORK.Process(target=write, args=(self.path, who, times, 100_000)) for who in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        lines = self.lines()
        files = len(list(self.path.parent.glob("*.log")))
        report(
            "H52 roll-over",
            load=f"4 processes, {times} lines each, a new file every 100 kB",
            measured={"lines": len(lines), "files": files},
            bar="every line once, every line valid JSON",
            is_passed=len(lines) == 4 * times,
        )
        self.assertEqual(
            {(line["who"], line["number"]) for line in lines}, {(w, n) for w in range(4) for n in range(times)}
        )
        self.assertEqual(len(lines), 4 * times)
        self.assertEqual({line["event"] for line in lines}, {"told"})
        self.assertGreater(files, 10)

    def test_a_file_that_somebody_else_moved_is_followed(self):
        file = LineFile(self.path)
        file.write("first\n")
        self.path.rename(self.path.with_name("taken"))
        file.write("second\n")
        self.path.unlink()
        file.write("third\n")
        self.assertEqual(self.path.read_text(), "third\n")
        self.assertEqual(self.path.with_name("taken").read_text(), "first\n")

    def test_who_waited_for_the_roll_over_does_not_roll_over_again(self):
        file = LineFile(self.path, most_bytes=100)
        file.write("x" * 101 + "\n")
        file._put_aside()  # as a process does that met the full file at the same moment
        self.assertEqual(len(list(self.path.parent.glob("koshflow-*.log"))), 1)

    def test_names_of_files_put_aside_sort_as_their_times(self):
        moments = [1_800_000_000_000_000_005, 1_800_000_000_100_000_000, 1_900_000_000_000_000_000]
        names = [aside(self.path, at_ns=moment).name for moment in moments]
        self.assertEqual(names, sorted(names))
        self.assertEqual(names[0], "koshflow-20270115T080000000000005.log")

    def test_only_its_owner_may_read_it(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        LineFile(self.path).write("x\n")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)


class NoRoom(TestCase):
    """A line for which there is not room enough is not there, instead of half: others would go on in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "koshflow.log"
        self.file = LineFile(self.path)
        self.addCleanup(self.file.close)

    def allow(self, file_bytes: int) -> None:
        """What the system lets this process write of a file, which it then cuts as a disk that is full does."""
        limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, most))
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, most))

    def test_it_is_refused_and_the_file_ends_with_a_whole_line(self):
        self.allow(10)
        self.file.write("first\n")
        with self.assertRaisesRegex(OSError, "No space left"):
            self.file.write("second\n")
        self.assertEqual(self.path.read_text(), "first\n")
        self.file.write("3rd\n")
        self.assertEqual(self.path.read_text(), "first\n3rd\n")

    def test_what_another_process_wrote_after_it_stays(self):
        self.allow(10)
        real = os.write

        def write(descriptor, text):
            written = real(descriptor, text)
            self.allow(100)
            with self.path.open("a") as other:
                other.write("other\n")
            return written

        self.file.write("first\n")
        with patch("monitoring.logs.files.os.write", write):
            self.assertRaises(OSError, self.file.write, "second\n")
        self.assertEqual(self.path.read_text(), "first\nsecoother\n")
