"""The process that is killed: evaluates invented rules and delivers what fires, until somebody ends it.

`python -m tests.monitoring.alerts.killed RULES BEGAN APART`: rule n is true from Unix time BEGAN + n * APART on.
"""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
django.setup()

from datetime import timedelta  # noqa: E402

from django.db import Error, connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from monitoring.alerts import Family, Rule, Severity, evaluate_alerts, services, sources  # noqa: E402
from monitoring.alerts.rules import Gauge  # noqa: E402
from security.outbox import deliver_due  # noqa: E402
from security.outbox import services as outbox  # noqa: E402


def rules(count: int) -> tuple[Rule, ...]:
    """Critical ones, which wait for nobody: each is told in the run in which it fires."""
    return tuple(
        Rule(
            name=f"rule_{number}",
            family=Family.ERRORS,
            severity=Severity.CRITICAL,
            title=f"Rule {number}",
            expression=Gauge(name=f"gauge_{number}"),
            threshold=0,
        )
        for number in range(count)
    )


def main() -> None:
    count, began, apart = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    every = rules(count)
    # Everything is as in the product, only sooner: the test must not take an hour.
    services._LEAST_APART = timedelta(0)
    services._is_due = lambda *_: True
    outbox.LEASE = timedelta(seconds=1)
    outbox.wait_after = lambda *_, **__: timedelta(seconds=0.1)
    sources.GAUGES = {f"gauge_{n}": lambda now, n=n: float(now.timestamp() >= began + n * apart) for n in range(count)}
    print("ready", flush=True)  # the one line that the test waits for
    while True:
        try:
            evaluate_alerts(now=timezone.now(), rules=every)
            deliver_due()
        except Error:
            connections.close_all()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
