"""The auditors' list in a short log and in a long one: each search by turns in both, and how much longer it takes.

`make bench ARGS=audit-list` loads 10,000 and 5,000,000 events (8 GB, more than a quarter of an hour); neither CI nor
the rest of `make bench` does.
"""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests import services
from tests.performance.rounds import say
from tests.performance.servers import Project, product
from tests.performance.stand import CHEAP_ROUNDS, Bench
from tests.server import ROOT

AT_MOST = 1.5
# A page for which events are compared one by one, wherever in the log they lie: no ratio, but no waiting either.
COMPARED_MS = 1_000
# People and companies, of whom each is one.
PEOPLE = 2_000


@dataclass(frozen=True, slots=True)
class Log:
    """A log of `events` events and the reader before it."""

    events: int
    reader: "subprocess.Popen[str]"

    def ask(self, name: str, what: object) -> Any:
        """What the reader answers. Raises RuntimeError where it ended."""
        assert self.reader.stdin is not None
        self.reader.stdin.write(f"{name} {what}\n")
        self.reader.stdin.flush()
        return self.heard()

    def heard(self) -> Any:
        assert self.reader.stdout is not None
        line = self.reader.stdout.readline()
        if not line:
            raise RuntimeError("the reader of the audit log ended, see above")
        return json.loads(line)


def audit_list(bench: Bench) -> None:
    """Each search at both sizes in turn; the page and the service behind it are held to the bar."""
    form = bench.form
    with ExitStack() as stack:
        logs = [_filled(stack, bench, events) for events in form.list_events]
        compare(bench, *logs)


def compare(bench: Bench, short: Log, long: Log) -> None:
    """Print a figure for each search."""
    form = bench.form
    names, _ = (log.heard() for log in (short, long))
    for name in names:
        taken: dict[str, tuple[list[float], list[float]]] = {}
        answers: list[Any] = []
        for _ in range(form.list_rounds):
            answers = [log.ask(name, 1) for log in (short, long)]
            for way in answers[0]["ms"]:
                both = taken.setdefault(way, ([], []))
                for side, answer in zip(both, answers, strict=True):
                    side.extend(answer["ms"][way])
        medians = {way: [round(median(side), 2) for side in both] for way, both in taken.items()}
        ratios = {way: round(later / earlier, 2) for way, (earlier, later) in medians.items()}
        is_compared = name.startswith("compared")
        judged = medians["page"][1] if is_compared else max(ratios["service"], ratios["page"])
        at_most = COMPARED_MS if is_compared else AT_MOST
        told: dict[str, Any] = {"rows": [answer["rows"] for answer in answers], "cut": answers[1]["cut"]}
        if judged > at_most:
            told["plans"] = long.ask(name, "plans")
        bench.show(
            f"audit_list: {name}",
            {"ratio": ratios, "ms": medians},
            judged=judged,
            at_most=at_most,
            rounds=form.list_rounds,
            events=[short.events, long.events],
            **told,
        )


def _filled(stack: ExitStack, bench: Bench, events: int) -> Log:
    say(f"a log of {events:,} events")
    postgres = stack.enter_context(services.postgres(private=True, settings={"autovacuum": "off"}))
    folder = bench.folder / f"log-{events}"
    project = product(database_url=postgres.url, redis_url=bench.redis.url, folder=folder, bcrypt_rounds=CHEAP_ROUNDS)
    project.migrate_and_seed("tests.performance.seed", sessions=2, filler=PEOPLE)
    project.run("django", "collectstatic", "--noinput", "--verbosity", "0")
    project.run("tests.performance.audit_events", str(events))
    return Log(events, stack.enter_context(_reader(project)))


def _reader(project: Project) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.performance.audit_reader"],
        cwd=ROOT,
        env=project.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
