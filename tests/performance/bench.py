"""`make bench`: what the product costs beside a stock simplejwt project, one JSON line a figure.

    python -m tests.performance.bench [--short] [FIGURE …]

PostgreSQL and Redis come from `tests.services`, both projects run under gunicorn with 2 workers of 8 threads, all
on loopback. The default form takes some fifteen minutes and ends with 1 where a bar is missed; `--short` takes
about one and judges nothing: it shows that the bench works. On a busy machine trust ratios, not milliseconds.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests import services
from tests.performance import advice, against_stock, alone, armour, audit, audit_list, connections, dashboard, refusals
from tests.performance.rounds import say
from tests.performance.stand import FULL, SHORT, Bench

FIGURES: dict[str, Callable[[Bench], None]] = {
    "me": against_stock.me,
    "refresh": against_stock.refresh,
    "login": alone.login,
    "start": alone.start,
    "middleware": armour.middleware,
    "watching": armour.watching,
    "armour": armour.cost,
    "audit": audit.audit,
    "dashboard": dashboard.dashboard,
    "flood": alone.flood,
    "refusals": refusals.refusals,
    "connections": connections.connections,
    "recorder": advice.recorder,
    "advice": advice.advice,
    "advice-sqlite": advice.advice_sqlite,
}
# Gigabytes and a quarter of an hour or more: only for who names them.
LARGE: dict[str, Callable[[Bench], None]] = {
    "audit-list": audit_list.audit_list,
    "audit-million": audit.audit_million,
}


def main(arguments: list[str]) -> int:
    """Measure; 1 where the full form missed a bar."""
    parser = argparse.ArgumentParser(prog="tests.performance.bench", description="What the product costs.")
    parser.add_argument("--short", action="store_true", help="under a minute; judges nothing")
    parser.add_argument(
        "figures", nargs="*", choices=[*FIGURES, *LARGE, []], metavar="FIGURE", help=", ".join([*FIGURES, *LARGE])
    )
    options = parser.parse_args(arguments)
    # Ended by a supervisor, we still end the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        # Autovacuum would visit one database or the other, and be counted as a cost of its requests.
        postgres = stack.enter_context(services.postgres(settings={"autovacuum": "off"}))
        store = stack.enter_context(services.redis())
        bench = Bench(form=SHORT if options.short else FULL, folder=Path(folder), postgres=postgres, redis=store)
        bench.set_up(stack)
        for name in options.figures or FIGURES:
            say(name)
            (FIGURES | LARGE)[name](bench)
    if bench.missed:
        say(f"missed: {', '.join(bench.missed)}")
    return 1 if bench.missed and not options.short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
