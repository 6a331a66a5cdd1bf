"""How long the operators' dashboard takes with 400 days of history, for each period that it offers, on both stores."""

import json
from statistics import median

import psycopg

from tests.performance.figures import spread
from tests.performance.servers import product
from tests.performance.stand import CHEAP_ROUNDS, Bench

AT_MOST_MS = 150


def dashboard(bench: Bench) -> None:
    """A page from request to last byte, within one process; the slowest period of a store is held to the bar.

    Both databases are its own: what a server counts meanwhile would be written where the history is planted.
    """
    form, folder = bench.form, bench.folder / "dashboard"
    with psycopg.connect(bench.postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dashboard")
    stores = {
        "dashboard_sqlite_ms": (f"sqlite:///{folder}/db.sqlite3", ""),
        "dashboard_ms": (f"{bench.postgres.url.rpartition('/')[0]}/dashboard", bench.redis.url),
    }
    for name, (database_url, redis_url) in stores.items():
        project = product(database_url=database_url, redis_url=redis_url, folder=folder, bcrypt_rounds=CHEAP_ROUNDS)
        project.environment |= {"WEB_WORKERS": "1"}
        project.run("django", "migrate", "--verbosity", "0")
        project.run("django", "collectstatic", "--noinput", "--verbosity", "0")
        arguments = map(str, (form.dashboard_pages, form.dashboard_beside))
        taken = json.loads(project.run("tests.performance.dashboard_reader", *arguments).splitlines()[-1])
        by_period = {period: spread(milliseconds, 1) for period, milliseconds in taken["ms"].items()}
        slowest = max(map(median, taken["ms"].values()))
        facts = {"rounds": form.dashboard_pages, "points": taken["points"]}
        bench.show(name, by_period, judged=round(slowest, 1), at_most=AT_MOST_MS, **facts)
