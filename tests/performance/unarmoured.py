"""Serves requests with the armour on and off in turn, within one process: JSON on standard input and output.

Given `requests` and `sign_ins` (how many), and `people`. Prints the CPU-µs of each request, with and without.
The processor's time of the whole process: a hash may have a thread of its own.
"""

import json
import sys
from collections.abc import Callable
from time import process_time_ns
from typing import Any

from tests.performance.serving import Application, Environ, application, ask, me, production, sign_in

# isort: split
from django.conf import settings

_WARM_UP = 20
# What remains makes the product work: context, clock and log line, static files, and what pages need.
_ARMOUR = {
    "security.middleware.headers.SecurityHeadersMiddleware",
    "security.middleware.cors.OriginMiddleware",
    "security.middleware.problem_pages.ProblemPageMiddleware",
    "security.middleware.hosts.HostMiddleware",
    "security.middleware.https.HttpsMiddleware",
    "security.middleware.fetch_metadata.FetchMetadataMiddleware",
    "accounts.sessions.limiting.LimitMiddleware",
    "security.middleware.bodies.BodyMiddleware",
    "security.screening.middleware.ScreeningMiddleware",
}


def measure(specification: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Pairs of (with, without) by kind of request."""
    missing = _ARMOUR - set(settings.MIDDLEWARE)
    if missing:
        raise LookupError(f"no longer in MIDDLEWARE: {sorted(missing)}")
    sides = [
        (application(settings.MIDDLEWARE), settings.SESSION_BINDING),
        (application([layer for layer in settings.MIDDLEWARE if layer not in _ARMOUR]), "off"),
    ]
    people = specification["people"]
    # Fresh ones: the figures before this may have taken longer than a token lives.
    environs = me([json.loads(ask(sides[0][0], sign_in(person)))["accessToken"] for person in people[:24]])
    return {
        "me": _alternate(sides, lambda turn: dict(environs[turn % len(environs)]), specification["requests"]),
        "login": _alternate(sides, lambda turn: sign_in(people[turn % len(people)]), specification["sign_ins"]),
    }


def _alternate(
    sides: list[tuple[Application, str]], request: Callable[[int], Environ], count: int
) -> list[list[float]]:
    pairs = []
    for turn in range(_WARM_UP + count):
        pair = [0.0, 0.0]
        # Who is first finds the person's rows cold, so they take turns in that too.
        for side in (0, 1) if turn % 2 else (1, 0):
            app, settings.SESSION_BINDING = sides[side]
            environ = request(turn)
            started = process_time_ns()
            ask(app, environ)
            pair[side] = (process_time_ns() - started) / 1000
        pairs.append(pair)
    return pairs[_WARM_UP:]


if __name__ == "__main__":
    with production():
        measured = measure(json.load(sys.stdin))
    print(json.dumps(measured))
