"""The processes that are killed: each evaluates invented rules and delivers what fires, until somebody ends it.

`python -m tests.monitoring.alerts.killed RULES BEGAN APART [STRIDE]`: rule n is true from Unix time BEGAN + n * APART
on. Each line that it reads begins one process, whose id it prints; the next is begun when that one is gone. With STRIDE
the clock begins at BEGAN, goes on by so many seconds a round, and leases and back-off are the product's own.
"""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
django.setup()

from datetime import timedelta  # noqa: E402

import time_machine  # noqa: E402
from django.db import Error, connections  # noqa: E402

from monitoring.alerts import Family, Rule, Severity, asking, evaluate_alerts, services, sources  # noqa: E402
from monitoring.alerts.rules import Gauge  # noqa: E402
from security.outbox import deliver_due  # noqa: E402
from security.outbox import services as outbox  # noqa: E402


def rules(count: int, began: float) -> tuple[Rule, ...]:
    """Critical ones, which wait for nobody: each is told in the run in which it fires.

    By names of this run's own: what fired in one before would go on firing, and not be told again.
    """
    return tuple(
        Rule(
            name=f"rule_{began:.0f}_{number}",
            family=Family.ERRORS,
            severity=Severity.CRITICAL,
            title=f"Rule {number}",
            expression=Gauge(name=f"gauge_{number}"),
            threshold=0,
        )
        for number in range(count)
    )


def hasten() -> None:
    """Everything is as in the product, only sooner: the test must not take an hour."""
    services._LEAST_APART = timedelta(0)
    asking._is_due = lambda *_: True
    outbox.LEASE = timedelta(seconds=1)
    outbox.wait_after = lambda *_, **__: timedelta(seconds=0.1)


def work(count: int, began: float, stride: float) -> None:
    """Never returns."""
    every = rules(count, began)
    clock = time_machine.travel(began, tick=False).start() if stride else None
    while True:
        try:
            evaluate_alerts(rules=every)
            deliver_due()
        except Error:
            connections.close_all()
        time.sleep(0.01)
        if clock is not None:
            clock.shift(stride)


def main() -> None:
    count, began, apart = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    stride = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    sources.GAUGES = {f"gauge_{n}": lambda now, n=n: float(now.timestamp() >= began + n * apart) for n in range(count)}
    if not stride:
        hasten()
    # Forked, and by one that has never met the database: a start of its own takes each two seconds, and a kill none.
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            work(count, began, stride)
        print(child, flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
