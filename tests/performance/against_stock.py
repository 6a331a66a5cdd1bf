"""Figures that are ratios: the product's hot routes against those of the stock peer, at 16 connections."""

from statistics import median
from typing import Any

import redis

from tests.performance.figures import pooled_postgres_ratio, spread
from tests.performance.rounds import Contender, asking_in_turn, refreshing, take_rounds, take_slice
from tests.performance.stand import CHAINS, Bench, gets


def me(bench: Bench) -> None:
    """GET /me at 16 connections against the peer's."""
    product_side = Contender(server=bench.product_server, plans=asking_in_turn(gets(bench.seeded, "/api/auth/me")))
    stock_side = Contender(server=bench.stock_server, plans=asking_in_turn(gets(bench.stock_seeded, "/api/me/")))
    rounds, dropped = _alternate(bench, product_side, stock_side)
    cpu = spread([one.ratio("cpu_us") for one in rounds])
    rate = spread([one.ratio("rate") for one in rounds])
    database = pooled_postgres_ratio(rounds)
    facts = {"rounds": len(rounds), "dropped": dropped}
    for name, values in (("product", [one.product for one in rounds]), ("stock", [one.stock for one in rounds])):
        facts[name] = {
            key: round(median(getattr(value, key) for value in values), 1)
            for key in ("cpu_us", "postgres_us", "rate", "p50", "p99")
        }
    bench.show("me_cpu_ratio", cpu, judged=cpu["median"], at_most=0.60, **facts)
    bench.show("me_rate_ratio", rate, judged=rate["median"], at_least=1.5, rounds=len(rounds))
    bench.show("me_postgres_cpu_ratio", database, judged=database, at_most=0.5, rounds=len(rounds))
    statements = bench.seeded["statements"]["me"]
    bench.show("me_statements", statements, judged=statements, at_most=1, rounds=1)
    # A slice of its own, now that every thread has said hello to Redis.
    reads = _redis_reads(bench)
    asked = take_slice(product_side, seconds=bench.form.slice_seconds, postgres_pid=None).requests
    trips = round((_redis_reads(bench) - reads) / asked, 2)
    bench.show("me_redis_round_trips", trips, judged=trips, at_most=1.05, rounds=1)


def refresh(bench: Bench) -> None:
    """Rotation of refresh tokens at 16 connections against rotation with a blacklist."""
    ours = [pair["refresh"] for pair in bench.seeded["sessions"][:CHAINS]]
    theirs = [pair["refresh"] for pair in bench.stock_seeded["sessions"][:CHAINS]]
    rounds, dropped = _alternate(
        bench,
        Contender(
            server=bench.product_server, plans=refreshing("/api/auth/refresh", member="refreshToken", tokens=ours)
        ),
        Contender(server=bench.stock_server, plans=refreshing("/api/token/refresh/", member="refresh", tokens=theirs)),
    )
    cpu = spread([one.ratio("cpu_us") for one in rounds])
    bench.show(
        "refresh_cpu_ratio",
        cpu,
        judged=cpu["median"],
        at_most=0.5,
        rounds=len(rounds),
        dropped=dropped,
        rate_ratio=spread([one.ratio("rate") for one in rounds]),
        postgres_cpu_ratio=pooled_postgres_ratio(rounds),
        cpu_us={
            "product": round(median(one.product.cpu_us for one in rounds)),
            "stock": round(median(one.stock.cpu_us for one in rounds)),
        },
        statements={
            "product": bench.seeded["statements"]["refresh"],
            "stock": bench.stock_seeded["statements"]["refresh"],
        },
    )


def _alternate(bench: Bench, ours: Contender, theirs: Contender) -> Any:
    form = bench.form
    return take_rounds(
        ours,
        theirs,
        seconds=form.slice_seconds,
        wanted=form.rounds,
        most=form.most_rounds,
        postgres_pid=bench.postgres.pid,
    )


def _redis_reads(bench: Bench) -> int:
    with redis.Redis.from_url(bench.redis.url) as client:
        return int(client.info("stats")["total_reads_processed"])
