"""How large the fault runs are, and the one line of JSON that each of them prints.

Short in the routine run of the tests; `KOSHFLOW_FAULTS=long` asks for the full load.
"""

import json
import os
from typing import Any

from tests.performance.figures import percentile

LONG = os.environ.get("KOSHFLOW_FAULTS") == "long"
TIMEOUT_SECONDS = 900 if LONG else 120


def sized(short: int, long: int) -> int:
    """What fits the present form."""
    return long if LONG else short


def report(name: str, *, load: str, measured: dict[str, Any], bar: str, is_passed: bool) -> None:
    """Print one run. `bar` says in words what `is_passed` decided."""
    line = {"id": name, "load": load, "measured": measured, "bar": bar, "pass": is_passed}
    print(json.dumps(line), flush=True)


def spread_ms(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and greatest of durations, in milliseconds."""
    return {
        name: round(1000 * percentile(seconds, point), 1) for name, point in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }
