"""How good the advice is on a file of SQLite's, tried on a copy and by plans alone.

    python -m tests.performance.advice_sqlite

Prints JSON. P: the share of advised indexes without which some statement takes more steps. R: the share of statements
that miss an index and then take about as many as with an expert's. Steps are those of SQLite's machine.
"""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest import mock

import django

django.setup()

from monitoring.database.advice import sqlite  # noqa: E402
from monitoring.database.advice.workload import Observed, Workload  # noqa: E402
from tests.performance.planted.shop import WORKLOAD, fill  # noqa: E402

NEAR, NEAR_STEPS = 1.5, 1000
WORSE, WORSE_STEPS = 1.2, 1000
_OBSERVED = tuple(
    Observed(str(number), one.text, "select", one.calls, one.calls * 20.0, 1) for number, one in enumerate(WORKLOAD)
)


def steps(database: sqlite3.Connection, indexes: list[str]) -> list[int]:
    """Of each statement with `indexes`, which are made and dropped."""
    found = []
    for number, sql in enumerate(indexes):
        database.execute(f"CREATE INDEX kf_{number} ON {sql}")
    database.execute("ANALYZE")
    for one in WORKLOAD:
        ticks = [0]

        def tick(ticks: list[int] = ticks) -> int:
            ticks[0] += 1
            return 0

        database.set_progress_handler(tick, 10)
        database.execute(one.text, {str(n): value for n, value in enumerate(one.values, 1)}).fetchall()
        database.set_progress_handler(None, 0)
        found.append(ticks[0] * 10)
    for number in range(len(indexes)):
        database.execute(f"DROP INDEX kf_{number}")
    return found


def judged(path: Path) -> dict[str, Any]:
    """The figures of advice on the database at `path`."""
    started = time.perf_counter()
    given, notes = sqlite.advise(SimpleNamespace(settings_dict={"NAME": path}), Workload("planted", _OBSERVED))
    seconds = time.perf_counter() - started
    advised = [f'"{one.table}" ({", ".join(one.keys)})' + (f" WHERE {one.where}" if one.where else "") for one in given]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        expert = steps(database, list(dict.fromkeys(sql for one in WORKLOAD for sql in one.expert)))
        ours = steps(database, advised)
        without = [steps(database, [sql for sql in advised if sql != left_out]) for left_out in advised]
    missed = [
        one.text
        for one, mine, best in zip(WORKLOAD, ours, expert, strict=True)
        if one.expert and mine > max(NEAR * best, best + NEAR_STEPS)
    ]
    useless = [
        sql
        for sql, taken in zip(advised, without, strict=True)
        if not any(t > max(WORSE * mine, mine + WORSE_STEPS) for t, mine in zip(taken, ours, strict=True))
    ]
    wanted = sum(bool(one.expert) for one in WORKLOAD)
    return {
        "P": round(1 - len(useless) / max(1, len(advised)), 2),
        "R": round(1 - len(missed) / wanted, 2),
        "seconds": round(seconds, 2),
        "advised": advised,
        "missed": missed,
        "useless": useless,
        "notes": notes,
    }


def main() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shop.sqlite3"
        with closing(sqlite3.connect(path)) as database:
            fill(database)
        tried = judged(path)
        with mock.patch.object(sqlite, "MOST_BYTES", 0):
            planned = judged(path)
    print(json.dumps({"tried": tried, "planned": planned}))


if __name__ == "__main__":
    main()
