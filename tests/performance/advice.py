"""How good the advice on indexes is, on databases with indexes left out; see `tests.performance.planted`."""

import json
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests import services
from tests.performance.servers import product
from tests.performance.stand import Bench

# Set → least precision and recall; `trade` was tuned on, `freight` held out.
BARS = {"trade": (0.95, 0.90), "freight": (0.90, 0.80)}
PRECISION, BLIND_RECALL = 0.95, 0.70  # of `trade`, from statements alone
SQLITE = 0.90  # both, where a copy is made
SECONDS = 2.0
_EXTENSIONS = ("pg_stat_statements", "hypopg", "pgstattuple", "pg_trgm")


def advice(bench: Bench) -> None:
    """Precision, recall and share of the possible saving, with what we know of values and without; and the time."""
    settings = {"shared_preload_libraries": "pg_stat_statements", "autovacuum": "off"}
    with services.postgres(private=True, settings=settings) as server:
        for name, (precision, recall) in BARS.items():
            told = _run(bench, server, name)
            facts = {key: told[key] for key in ("S", "advised", "wanted", "missed", "useless", "source", "plans")}
            bench.show(f"advice_{name}_precision", told["P"], judged=told["P"], at_least=precision, rounds=1, **facts)
            bench.show(f"advice_{name}_recall", told["R"], judged=told["R"], at_least=recall, rounds=1)
            bench.show(f"advice_{name}_seconds", told["seconds"], judged=told["seconds"], at_most=SECONDS, rounds=1)
            unsafe = len(told["unsafe_removals"])
            found = {kind: told[kind] for kind in ("redundant", "invalid", "bloated")}
            bench.show(f"advice_{name}_unsafe_removals", unsafe, judged=unsafe, at_most=0, rounds=1, **found)
        bare = _run(bench, server, "trade", "--no-shapes")
        facts = {key: bare[key] for key in ("S", "advised", "wanted", "missed", "useless")}
        bench.show("advice_blind_precision", bare["P"], judged=bare["P"], at_least=PRECISION, rounds=1, **facts)
        bench.show("advice_blind_recall", bare["R"], judged=bare["R"], at_least=BLIND_RECALL, rounds=1)


def advice_sqlite(bench: Bench) -> None:
    """The same on a file of SQLite's, tried on a copy, and by plans alone as on a file that is too large for one."""
    project = product(database_url="", redis_url="", folder=bench.folder / "shop", bcrypt_rounds=10)
    told = json.loads(project.run("tests.performance.advice_sqlite").splitlines()[-1])
    for way, found in told.items():
        facts = {key: found[key] for key in ("seconds", "missed", "useless", "notes")}
        for name, key in (("precision", "P"), ("recall", "R")):
            bar = SQLITE if way == "tried" else None
            bench.show(f"advice_sqlite_{way}_{name}", found[key], judged=found[key], at_least=bar, rounds=1, **facts)


def recorder(bench: Bench) -> None:
    """What recording adds to a statement, in CPU: one that SQLite answers at once, and one that the ORM builds."""
    project = product(database_url="", redis_url="", folder=bench.folder / "recorder", bcrypt_rounds=10)
    told = json.loads(project.run("tests.performance.recording").splitlines()[-1])
    bench.show("recorder_raw_us", told["raw"], judged=told["raw"]["added_us"], at_most=3.0, rounds=told["rounds"])
    bench.show("recorder_orm_percent", told["orm"], judged=told["orm"]["percent"], at_most=5.0, rounds=told["rounds"])


def _run(bench: Bench, server: services.Server, name: str, *options: str) -> dict[str, Any]:
    database = f"{name}_{len(options)}"
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database} OWNER koshflow")
    with psycopg.connect(urlsplit(server.superuser_url)._replace(path=f"/{database}").geturl(), autocommit=True) as own:
        for extension in _EXTENSIONS:
            own.execute(f"CREATE EXTENSION {extension}")
        own.execute("GRANT EXECUTE ON FUNCTION pg_stat_statements_reset TO koshflow")
        own.execute("GRANT pg_stat_scan_tables TO koshflow")
    url = urlsplit(server.url)._replace(path=f"/{database}").geturl()
    project = product(database_url=url, redis_url="", folder=bench.folder / database, bcrypt_rounds=10)
    told: dict[str, Any] = json.loads(project.run("tests.performance.advice_run", name, *options).splitlines()[-1])
    return told
