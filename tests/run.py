"""Runs the tests on both legs and says in closing lines what was proved, where, and in how many minutes.

    python tests/run.py                                   both legs, every test
    python tests/run.py --leg real -- tests/accounts -k login
    python tests/run.py --coverage                        lines and branches of both legs together

The embedded leg is SQLite and the cache inside the process; the real leg is PostgreSQL and Redis, started by
`tests.services`. A leg that cannot start, finds no test or ends early is a failure, never a silence.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.programs import PROGRAMS  # noqa: E402  (run as a script: path first)
from tests.services import Server, ServiceMissingError, postgres, redis  # noqa: E402

NO_TEST = "no test was found"
LEGS = ("embedded", "real")
FEW_FILES = 4
MOST_PROCESSES = 8  # each has a database of Redis to itself, and a Redis has 16
SUMMARY_SECONDS = 30

# Lengths of races, fuzzing and fault runs, which a person may ask for.
PASSED_ON = frozenset({"KOSHFLOW_FAULTS", "KOSHFLOW_FUZZ_EXAMPLES", "KOSHFLOW_RACE_ROUNDS"})

# The product is started often; without compiled modules each start costs a third of a second of CPU more.
NOT_PASSED_ON = ("PYTHONDONTWRITEBYTECODE",)


@dataclass(kw_only=True)
class Outcome:
    """What one leg proved; `trouble` says in a few words why it proved nothing, or less than it should."""

    leg: str
    servers: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    left_out: int = 0  # tests, or whole classes of them, that are the other leg's
    unproved: dict[str, int] = field(default_factory=dict)  # tests by the marker of the program that is not here
    minutes: float = 0.0
    trouble: str = ""

    def closing_line(self) -> str:
        parts = [f"{self.passed} passed"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        line = f"{self.leg} leg ({self.servers}): {', '.join(parts)} in {self.minutes:.1f} min"
        return f"{line}; {self.trouble}" if self.trouble else line


def main(arguments: Sequence[str]) -> int:
    options, wanted = _parse(arguments)
    # Ended by a supervisor, we still end pytest; the servers' keepers would see to theirs by themselves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    legs = LEGS if options.leg == "both" else (options.leg,)
    if options.coverage:
        wanted += ["--cov", "--cov-append", "--cov-report="]
        (ROOT / ".coverage").unlink(missing_ok=True)
    outcomes = [_run_embedded(wanted) if leg == "embedded" else _run_real(wanted) for leg in legs]
    excuse(outcomes)
    lines = closing_lines(outcomes)
    if options.coverage:
        lines.insert(-1, _coverage())
    print("\n" + "\n".join(lines), flush=True)
    return int(any(outcome.failed for outcome in outcomes))


def closing_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """One line a leg, one for what this machine could not prove, and the sum of all."""
    lines = [outcome.closing_line() for outcome in outcomes]
    for program in PROGRAMS:
        if tests := max((outcome.unproved.get(program.marker, 0) for outcome in outcomes), default=0):
            lines.append(f"not run {program.unproved} ({tests} tests)")
    passed, failed, skipped = (sum(getattr(o, name) for o in outcomes) for name in ("passed", "failed", "skipped"))
    lines.append(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return lines


def judge(outcome: Outcome, *, exit_code: int) -> Outcome:
    """Turn what is not a clean pass into at least one failure: no sum may read "0 failed" over it."""
    if outcome.failed:
        return outcome
    if exit_code == 5 or (exit_code == 0 and not outcome.passed + outcome.skipped):
        outcome.trouble, outcome.failed = NO_TEST, 1
    elif exit_code:
        outcome.trouble, outcome.failed = f"pytest ended with exit code {exit_code}", 1
    return outcome


def excuse(outcomes: Sequence[Outcome]) -> None:
    """A leg without a test is no failure where those asked for are another's, which ran them."""
    for outcome in outcomes:
        if outcome.trouble == NO_TEST and outcome.left_out and any(other.passed for other in outcomes):
            outcome.trouble, outcome.failed = "all that was asked for is the other leg's", 0


def processes(wanted: Sequence[str]) -> int:
    """How many processes run what is asked for: one where that is a few files, as each costs seconds to start.

    Else one more than there are CPUs, as a third of the time of a test goes into waiting for a server that it started.
    """
    if any(word.startswith(("-n", "--numprocesses", "--pdb")) for word in wanted):
        return 1
    named = [path for word in wanted if (path := ROOT / word.partition("::")[0]).exists()]
    files = sum(1 if path.is_file() else len(list(path.rglob("test_*.py"))) for path in named or [ROOT / "tests"])
    return min((os.cpu_count() or 1) + 1, MOST_PROCESSES) if files > FEW_FILES else 1


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    own = list(arguments)
    verbatim: list[str] = []
    if "--" in own:
        at = own.index("--")
        own, verbatim = own[:at], own[at + 1 :]
    parser = argparse.ArgumentParser(description="What is not an option here goes to pytest.", allow_abbrev=False)
    parser.add_argument("--leg", choices=("both", *LEGS), default="both")
    parser.add_argument("--coverage", action="store_true")
    options, wanted = parser.parse_known_args(own)
    return options, wanted + verbatim


def _run_embedded(wanted: Sequence[str]) -> Outcome:
    servers = f"SQLite {sqlite3.sqlite_version}, in-process cache"
    # Empty, not absent: a developer's .env may name a database, and must not lend it to the tests.
    return _run_leg("embedded", servers, ["real"], wanted, {"DATABASE_URL": "", "REDIS_URL": ""})


def _run_real(wanted: Sequence[str]) -> Outcome:
    try:
        with postgres() as database, redis() as store:
            return _run_leg(
                "real", f"{database.description}, {store.description}", ["embedded"], wanted, _urls(database, store)
            )
    except ServiceMissingError as missing:
        return Outcome(leg="real", servers="not started", failed=1, trouble=str(missing))


def _urls(database: Server, store: Server) -> dict[str, str]:
    return {
        "DATABASE_URL": database.url,
        "REDIS_URL": store.url,
        # Only for tests that need what an administrator would set up: extensions, roles, settings.
        "TEST_DATABASE_SUPERUSER_URL": database.superuser_url,
    }


def _run_leg(leg: str, servers: str, leave_out: list[str], wanted: Sequence[str], stores: dict[str, str]) -> Outcome:
    if any(word.startswith("tests/browser") for word in wanted):
        servers += ", Chromium"
    else:
        leave_out = [*leave_out, "browser"]  # `make e2e` asks for them
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.legs",
        *(f"--leave-out={name}" for name in leave_out),
    ]
    # Each process begins with its share of the tests in one piece, and takes from another's when it has none left: a
    # module's fixtures are made once, and none waits for the others at the end.
    count = processes(wanted)
    command += ["-n", str(count), "--dist", "worksteal"] if count > 1 else []
    print(f"\n=== {leg} leg: {servers}", flush=True)
    started = time.monotonic()
    with _scratch() as scratch:
        counts = scratch / "counts.json"
        exit_code = _pytest([*command, f"--counts={counts}", *wanted], _environment(stores, scratch))
        numbers = json.loads(counts.read_text()) if counts.exists() else {}
    minutes = (time.monotonic() - started) / 60
    return judge(Outcome(leg=leg, servers=servers, minutes=minutes, **numbers), exit_code=exit_code)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A temporary folder for all that tests write, so that two runs do not meet and none leaves anything."""
    folder = Path(tempfile.mkdtemp(prefix="koshflow-run-"))
    try:
        (folder / "var").mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(stores: dict[str, str], scratch: Path) -> dict[str, str]:
    kept_out = ("DATABASE_", "REDIS_", "KOSHFLOW_", *NOT_PASSED_ON)
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(kept_out) or name in PASSED_ON
    }
    own = {"KOSHFLOW_ENV": "test", "KOSHFLOW_DATA_DIR": str(scratch / "var"), "TMPDIR": str(scratch)}
    return inherited | own | stores


def _pytest(command: Sequence[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=SUMMARY_SECONDS)  # it got the same Ctrl-C, and has a summary to print
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _coverage() -> str:
    command = [sys.executable, "-m", "coverage", "report", "--format=total"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return f"coverage of lines and branches: {done.stdout.strip() or 'not measured'} %"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
