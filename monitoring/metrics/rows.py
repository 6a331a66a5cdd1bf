"""Numbers of rows for `/metrics`: a thread beside the scrape reads them, and a scrape shows what it read last.

What is read, and what the metrics are called, is said where the rows are.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from django.db import connections
from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.health.readings import Reading, Status
from monitoring.health.watcher import Watcher


def watch_rows(name: str, read: Callable[[], Iterable[tuple[str, float]]]) -> Watcher:
    """A watcher of the numbers that `read` finds, each by its name. `name` is what log and thread call the reading."""

    def probe() -> list[Reading]:
        now = datetime.now(UTC)
        try:
            return [
                Reading(name=found, status=Status.PASS, time=now, is_required=False, value=value)
                for found, value in read()
            ]
        finally:
            connections["default"].close()

    watcher = Watcher(probe, overdue=(name, False))
    os.register_at_fork(after_in_child=watcher.forget)
    return watcher


def numbers(watcher: Watcher, *, until: float | None) -> dict[str, float]:
    """What was read, by name; {} while the database does not answer. `until` is that of `Watcher.readings`."""
    return {one.name: one.value for one in watcher.readings(until=until) if one.value is not None}


def families_by(label: str, texts: Mapping[str, str], found: Mapping[str, float]) -> list[Metric]:
    """A gauge for each metric of `texts` (name → help) of which anything was found, named `metric:value of label`."""
    families = {name: GaugeMetricFamily(name, text, labels=(label,)) for name, text in texts.items()}
    for name, value in found.items():
        metric, _, of = name.partition(":")
        families[metric].add_metric((of,), value)
    return [family for family in families.values() if family.samples]
