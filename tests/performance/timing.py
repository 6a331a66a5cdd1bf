"""What the time of a refused sign-in tells of an account: one JSON line with the median of each kind.

    python -m tests.performance.timing [--rounds 10] [--samples 200] [--real]

Over HTTP, on a server of its own: SQLite, or with `--real` PostgreSQL and Redis from `tests.services`. The kinds come
in random order, each sample with an account and a loopback address of its own, so that nobody is locked out or slowed
down and whatever else the machine does falls on all kinds alike. Ends with 1 where two medians lie more than 5 % apart.
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from tests import services
from tests.performance.figures import line
from tests.performance.servers import product
from tests.server import Server

AT_MOST_PERCENT = 5
# In the order of the seeded people: each kind has as many of them as there are samples. Nobody stands for "unknown".
SEEDED = ("wrong", "inactive", "unusable")
KINDS = ("unknown", *SEEDED)
WARM_UP = 2


def prepare(samples: int) -> None:
    """Make the second lot of seeded people inactive, and leave the third without a password."""
    import django  # the parent of this process only measures, and needs none

    django.setup()
    from django.contrib.auth.hashers import make_password

    from accounts.identity.models import User

    User.objects.filter(email__in=[_email(n) for n in range(samples, 2 * samples)]).update(is_active=False)
    without = User.objects.filter(email__in=[_email(n) for n in range(2 * samples, 3 * samples)])
    without.update(password=make_password(None))


def measure(*, rounds: int, samples: int, is_real: bool = False) -> dict[str, list[float]]:
    """Milliseconds of each sample, by kind. `rounds` is bcrypt's cost.

    Raises RuntimeError where an answer is not the 401 that all kinds share.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        postgres = stack.enter_context(services.postgres()).url if is_real else ""
        redis = stack.enter_context(services.redis()).url if is_real else ""
        project = product(database_url=postgres, redis_url=redis, folder=Path(folder) / "product", bcrypt_rounds=rounds)
        # One worker, or the kinds would meet two of different temperature; SQLite allows no second anyway.
        project.environment["WEB_WORKERS"] = "1"
        lots = samples + WARM_UP
        seeded = project.migrate_and_seed("tests.performance.seed", sessions=len(SEEDED) * lots + 1, filler=0)
        project.run("tests.performance.timing", "--prepare", str(lots))
        arguments = ("--config", "python:koshflow.gunicorn_conf", "koshflow.wsgi")
        server = stack.enter_context(
            Server(*arguments, folder=project.folder, environment=project.environment, probe="/health/live")
        )
        right = seeded["logins"][0]["password"]
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for number, kind in enumerate(_in_random_order(lots)):
            turn = len(taken[kind])
            # Whoever is inactive gives the right password: only that could make a difference.
            password = right if kind == "inactive" else f"{right}?"
            email = f"nobody{turn}@lotus.example.in" if kind == "unknown" else _email(SEEDED.index(kind) * lots + turn)
            taken[kind].append(_sign_in(server.port, number, email=email, password=password))
    return {kind: milliseconds[WARM_UP:] for kind, milliseconds in taken.items()}


def _email(number: int) -> str:
    return f"person{number}@lotus.example.in"  # as `seed.a_user` names them


def _in_random_order(lots: int) -> Iterator[str]:
    """Each kind `lots` times: all once, in an order that is new each time."""
    order = random.Random(6238)
    for _ in range(lots):
        yield from order.sample(KINDS, len(KINDS))


def _sign_in(port: int, number: int, *, email: str, password: str) -> float:
    """Milliseconds from the request to the end of its answer, from a loopback address that only `number` has."""
    address = f"127.1.{number // 250}.{number % 250 + 1}"
    body = json.dumps({"email": email, "password": password})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))) as connection:
        connection.connect()
        started = time.perf_counter()
        connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        seconds = time.perf_counter() - started
    if answer.status != 401 or json.loads(text)["code"] != "INVALID_CREDENTIALS":
        raise RuntimeError(f"{email}: {answer.status} {text.decode()}")
    return seconds * 1000


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.performance.timing", description="What refused sign-ins tell by time.")
    parser.add_argument("--rounds", type=int, default=10, help="cost of bcrypt")
    parser.add_argument("--samples", type=int, default=200, help="of each kind")
    parser.add_argument("--real", action="store_true", help="on PostgreSQL and Redis")
    parser.add_argument("--prepare", type=int, metavar="LOTS", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.prepare:
        prepare(options.prepare)
        return 0
    taken = measure(rounds=options.rounds, samples=options.samples, is_real=options.real)
    medians = {kind: median(values) for kind, values in taken.items()}
    least = min(medians.values())
    apart = round((max(medians.values()) - least) / least * 100, 2)
    measured = {
        "median_ms": {kind: round(value, 2) for kind, value in medians.items()},
        "above_the_least_percent": {kind: round((value - least) / least * 100, 2) for kind, value in medians.items()},
    }
    print(
        line(
            "sign_in_timing_percent",
            measured,
            judged=apart,
            at_most=AT_MOST_PERCENT,
            rounds=options.samples,
            bcrypt_rounds=options.rounds,
            stores="real" if options.real else "embedded",
        ),
        flush=True,
    )
    return 1 if apart > AT_MOST_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
