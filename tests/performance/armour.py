"""What the armour costs: each layer of the middleware by itself, and requests with and without the layers."""

import json
from statistics import median

from tests.performance.stand import CHAINS, CHEAP_ROUNDS, Bench

PROTECTION_US = 150
CLOCK_US = 120
SOAK_BYTES = 100  # a request: a megabyte in ten thousand, and what is noise
LEAST_ROUNDS = 4


def middleware(bench: Bench) -> None:
    """What the chain adds to a request in one process: protection, the clock, and each layer; the round trip to Redis
    stands apart."""
    runs = [
        json.loads(
            bench.product.run(
                "tests.performance.layers",
                str(bench.form.layer_requests),
                *(pair["access"] for pair in bench.seeded["sessions"][:24]),
            ).splitlines()[-1]
        )
        for _ in range(bench.form.layer_runs)
    ]
    layers = {name: median(run[name] for run in runs) for name in runs[0]}
    whole, store = layers.pop("whole"), layers.pop("store")
    for name, bar in (("protection", PROTECTION_US), ("clock", CLOCK_US)):
        measured = layers.pop(name)
        by_run = [run[name] for run in runs]
        bench.show(f"{name}_us", measured, judged=measured, at_most=bar, rounds=len(runs), by_run=by_run)
    bench.show(
        "middleware_us",
        {"whole": whole, "store_round_trip": store},
        rounds=len(runs),
        requests=bench.form.layer_requests,
        by_run=[run["whole"] for run in runs],
        layers=layers,
    )


def watching(bench: Bench) -> None:
    """What metrics, timing and log line cost a request, each by itself, and whether memory grows over requests."""
    told = json.loads(
        bench.product.run(
            "tests.performance.watching",
            str(bench.form.soak_requests),
            *(pair["access"] for pair in bench.seeded["sessions"][:24]),
        ).splitlines()[-1]
    )
    parts, soak = told["parts"], told["soak"]
    together = round(sum(parts[name] for name in ("metrics", "timing", "logging")), 1)
    bench.show("watching_us", together, judged=together, at_most=CLOCK_US, rounds=1, parts=parts)
    grown = soak["bytes_a_request"]
    bench.show("memory_slope", soak, judged=grown, at_most=SOAK_BYTES, rounds=1, requests=bench.form.soak_requests)


def cost(bench: Bench) -> None:
    """`/me` and sign-in beside themselves without limits, screening, binding, headers and checks of the request.

    The hash is the cheapest there is: a real one is a second, in which nothing of this could be seen.
    """
    project = bench.product_at(LEAST_ROUNDS)
    project.run("tests.performance.seed", "rehash")
    specification = {
        "requests": bench.form.layer_requests,
        "sign_ins": bench.form.layer_requests // 10,
        "people": bench.seeded["logins"][CHAINS + 8 :],
    }
    pairs = json.loads(project.run("tests.performance.unarmoured", given=json.dumps(specification)).splitlines()[-1])
    for name, taken in pairs.items():
        with_us, without_us = (round(median(side)) for side in zip(*taken, strict=True))
        measured = {
            "with_us": with_us,
            "without_us": without_us,
            "added_us": round(median(one - other for one, other in taken)),
        }
        bench.show(f"{name}_armour_cost", measured, rounds=len(taken))
    bench.product_at(CHEAP_ROUNDS).run("tests.performance.seed", "rehash")  # as the other figures expect them
