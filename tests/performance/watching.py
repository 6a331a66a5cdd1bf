"""What watching costs a request by part, and whether memory grows: `python -m tests.performance.watching N TOKEN …`.

In one process, on the stores of the environment. Prints JSON: microseconds of CPU a request for each part, the least of
several rounds, since whatever else the machine does only adds; and bytes of resident memory that each of N requests
leaves behind.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence

from tests.performance.serving import application, ask, me, production

# isort: split
from django.conf import settings
from django.test import RequestFactory

from monitoring.database import tallied
from monitoring.logs import JsonFormatter
from monitoring.metrics import metrics
from monitoring.requests import middleware
from monitoring.requests.memory import HighWater
from monitoring.requests.slow import Usual
from tests.performance.cpu import resident_mb
from tests.performance.figures import slope

_ROUNDS, _TIMES = 20, 2000
_LINE = {"method": "GET", "route": "/api/auth/me", "status": 200, "duration_ms": 1.23, "size_bytes": 700}
_LINE |= {"sql_count": 1, "sql_ms": 0.4}


def parts() -> dict[str, float]:
    """Of each part of the clock, by itself."""
    request, usual, memory, formatter = RequestFactory().get("/api/auth/me"), Usual(), HighWater(), JsonFormatter()

    def count() -> None:
        counted = metrics()
        counted.requests_in_flight.inc()
        counted.requests_in_flight.dec()
        counted.request_answered(method="GET", route="/api/auth/me", status=200, seconds=0.001, size_bytes=700)

    def time_it() -> None:
        with tallied(request):
            pass
        usual.is_slow(("GET", "/api/auth/me"), 0.001)
        memory.grown_bytes()

    def write() -> None:
        middleware.logger.handle(middleware._record(_LINE))

    def form() -> None:
        formatter.format(middleware._record(_LINE))

    found = {name: _cost(act) for name, act in (("metrics", count), ("timing", time_it), ("logging", write))}
    return found | {"of_logging_its_form": _cost(form)}


def _cost(act: Callable[[], object]) -> float:
    least = float("inf")
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(_TIMES):
            act()
        least = min(least, (time.process_time() - started) / _TIMES * 1e6)
    return round(least, 1)


def soak(*, requests: int, tokens: Sequence[str]) -> dict[str, float]:
    """Resident memory while `requests` are served, after a fifth of that to warm up."""
    app, environs = application(settings.MIDDLEWARE), me(tokens)
    seen: list[tuple[float, float]] = []
    step = max(1, requests // 50)
    for number in range(-requests // 5, requests):
        ask(app, dict(environs[number % len(environs)]))
        if number >= 0 and number % step == 0:
            # What views and requests hold of each other goes when Python next looks for such circles among old objects,
            # every fifty thousand requests or so. Until then it is no leak, and read 137 bytes a request.
            gc.collect()
            seen.append((float(number), resident_mb(os.getpid()) * 1e6))
    return {"bytes_a_request": round(slope(seen), 1), "mb_at_start": seen[0][1] / 1e6, "mb_at_end": seen[-1][1] / 1e6}


if __name__ == "__main__":
    with production():
        measured = {"parts": parts(), "soak": soak(requests=int(sys.argv[1]), tokens=sys.argv[2:])}
    print(json.dumps(measured))
