"""The runner's closing lines: they add up, and nothing that went unproved reads as a success."""

import json
import os
import subprocess
import sys

import pytest

from tests.programs import PROGRAMS
from tests.run import ROOT, Outcome, closing_lines, excuse, judge, processes

pytestmark = pytest.mark.embedded  # the runner is the same on both legs

EMBEDDED = "SQLite 3.40.1, in-process cache"
REAL = "PostgreSQL 15.18 Debian, Redis 7.0.15"
IS_HERE = {program.marker: program.is_here() for program in PROGRAMS}
# With an empty PATH neither promtool nor Go is there; the others may stand where PATH does not lead.
UNPROVED = {name: int(name in ("promtool", "go") or not is_here) for name, is_here in IS_HERE.items()}


class TestTheClosingLines:
    """How many tests passed on which leg, against which servers, in how many minutes; the sum comes last."""

    def test_name_each_leg_and_end_with_the_sum(self):
        assert closing_lines(
            [
                Outcome(leg="embedded", servers=EMBEDDED, passed=412, minutes=1.21),
                Outcome(leg="real", servers=REAL, passed=430, minutes=2.3),
            ]
        ) == [
            "embedded leg (SQLite 3.40.1, in-process cache): 412 passed in 1.2 min",
            "real leg (PostgreSQL 15.18 Debian, Redis 7.0.15): 430 passed in 2.3 min",
            "842 passed, 0 failed",
        ]

    def test_count_what_was_skipped(self):
        lines = closing_lines([Outcome(leg="embedded", servers=EMBEDDED, passed=9, failed=1, skipped=2)])
        assert lines[0].endswith("9 passed, 1 failed, 2 skipped in 0.0 min")
        assert lines[-1] == "9 passed, 1 failed, 2 skipped"

    @pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.marker)
    def test_name_what_nobody_proved_without_a_program(self, program):
        outcomes = [
            Outcome(leg="embedded", servers=EMBEDDED, passed=9),
            Outcome(leg="real", servers=REAL, passed=9, skipped=3, unproved={program.marker: 3}),
        ]
        assert closing_lines(outcomes)[2] == f"not run {program.unproved} (3 tests)"


class TestAnUncleanRun:
    """Counts as a failure even when no test had the time to fail."""

    @pytest.mark.parametrize("exit_code", [0, 5])
    def test_without_tests(self, exit_code):
        outcome = judge(Outcome(leg="real", servers=REAL), exit_code=exit_code)
        assert closing_lines([outcome])[-1] == "0 passed, 1 failed"
        assert "no test was found" in outcome.closing_line()

    def test_without_tests_of_a_leg_whose_other_ran_them(self):
        ran = Outcome(leg="embedded", servers=EMBEDDED, passed=7)
        none = judge(Outcome(leg="real", servers=REAL, left_out=7), exit_code=5)
        excuse([ran, none])
        assert closing_lines([ran, none])[-1] == "7 passed, 0 failed"
        assert none.closing_line().endswith("0 passed in 0.0 min; all that was asked for is the other leg's")

    @pytest.mark.parametrize(("left_out", "passed"), [(0, 7), (7, 0)])
    def test_is_not_excused_where_none_was_left_out_or_no_leg_ran_one(self, left_out, passed):
        none = judge(Outcome(leg="real", servers=REAL, left_out=left_out), exit_code=5)
        excuse([Outcome(leg="embedded", servers=EMBEDDED, passed=passed), none])
        assert none.failed == 1

    @pytest.mark.parametrize("exit_code", [1, 2, 3, 4, -9])
    def test_that_broke_off(self, exit_code):
        outcome = judge(Outcome(leg="real", servers=REAL, passed=7), exit_code=exit_code)
        assert outcome.failed == 1
        assert f"exit code {exit_code}" in outcome.closing_line()

    def test_is_not_seen_where_all_is_well(self):
        assert judge(Outcome(leg="real", servers=REAL, passed=7), exit_code=0).failed == 0


class TestProcesses:
    """More than one are worth their start for more than a few files; one more than CPUs, as tests wait for servers."""

    @pytest.mark.parametrize(("cpus", "count"), [(1, 2), (2, 3), (64, 8)])
    def test_run_the_whole_suite(self, monkeypatch, cpus, count):
        monkeypatch.setattr(os, "cpu_count", lambda: cpus)
        assert processes([]) == count
        assert processes(["-k", "login"]) == count

    def test_do_not_run_one_file_or_one_test(self):
        assert processes(["tests/harness/test_run.py"]) == 1
        assert processes(["tests/harness/test_run.py::TestProcesses"]) == 1

    def test_are_the_callers_to_choose(self):
        assert processes(["-n", "4"]) == 1
        assert processes(["-n0"]) == 1


class TestTheLegs:
    """A leg leaves out what does not belong to it and counts the rest, each worker's tests included."""

    @pytest.fixture
    def counts_of(self, tmp_path):
        programs = [program.marker for program in PROGRAMS]
        markers = "".join(f"    {name}: as in setup.cfg\n" for name in ("real", "browser", *programs))
        (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{markers}")
        (tmp_path / "test_books.py").write_text(
            "import pytest\n"
            "def test_balances(): pass\n"
            "def test_does_not_balance(): assert 1 == 2\n"
            "@pytest.mark.skip\n"
            "def test_later(): pass\n"
            "@pytest.mark.real\n"
            "def test_lock(): pass\n"
            + "".join(f"@pytest.mark.{name}\ndef test_by_{name}(): pass\n" for name in programs)
        )

        (tmp_path / "test_servers.py").write_text(
            "import pytest\npytestmark = pytest.mark.real\ndef test_start(): pass\n"
        )

        def count(*options, of="", **environment):
            command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.legs", "-p", "xdist"]
            command += ["-c", tmp_path / "pytest.ini", f"--counts={tmp_path / 'counts'}", *options, f"{tmp_path}/{of}"]
            # No other plugins: each run loads in a third of the time.
            environment = {"PATH": "", **environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, env=environment)
            return json.loads((tmp_path / "counts").read_text()) | {"exit_code": ended.returncode}

        return count

    def test_embedded_leaves_out_what_needs_real_servers(self, counts_of):
        everything = counts_of()
        embedded = counts_of("--leave-out=real", "--leave-out=browser")
        assert (everything["left_out"], embedded["left_out"]) == (0, 2)
        assert everything["passed"] - embedded["passed"] == 2
        assert embedded["failed"] == everything["failed"] == 1

    def test_what_is_asked_for_by_name_is_left_out_not_missing(self, counts_of):
        counts = counts_of("--leave-out=real", of="test_servers.py::test_start")
        assert (counts["left_out"], counts["exit_code"]) == (1, pytest.ExitCode.NO_TESTS_COLLECTED)

    def test_two_processes_count_as_one(self, counts_of):
        assert counts_of("-n2", "--leave-out=real") == counts_of("-n0", "--leave-out=real")

    def test_the_wheel_skips_and_counts_what_only_debian_can_prove(self, counts_of):
        counts = counts_of(TEST_SERVICES="wheel")
        assert counts["unproved"] == UNPROVED | {"debian_postgres": 1}

    def test_without_a_program_its_tests_are_skipped_and_counted(self, counts_of):
        counts, unproved = counts_of(), sum(UNPROVED.values())
        assert counts["unproved"] == UNPROVED
        assert (counts["passed"], counts["skipped"]) == (3 + len(PROGRAMS) - unproved, 1 + unproved)

    def test_with_it_they_are_not(self, counts_of):
        counts = counts_of("-k", "by", PATH=os.environ["PATH"])
        assert counts["passed"] == sum(IS_HERE.values())
        assert counts["unproved"] == {name: int(not is_here) for name, is_here in IS_HERE.items()}


def test_a_leg_whose_server_is_missing_is_red_and_says_what_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, "tests/run.py", "--leg", "real", "--", "tests/harness/test_run.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "TEST_DATABASE_URL": "postgres://asha:hush@127.0.0.1:1/books"},
    )
    assert done.returncode == 1
    assert "real leg (not started)" in done.stdout
    assert "TEST_DATABASE_URL" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed"
