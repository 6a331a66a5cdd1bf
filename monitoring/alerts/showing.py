"""What `/metrics` says of alerts. A scrape never waits for the database: it shows what a thread beside it read last."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connections
from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.machine import Status as AlertStatus
from monitoring.alerts.models import AlertState
from monitoring.alerts.services import evaluated_at
from monitoring.health.readings import Reading, Status
from monitoring.health.watcher import Watcher
from security.outbox import oldest_waiting

_EVALUATED, _WAITING, _FIRING = "alerts:evaluated", "alerts:waiting", "firing:"


def _read() -> Sequence[Reading]:
    now = datetime.now(UTC)
    try:
        last = evaluated_at()
        oldest = oldest_waiting(kind="alert")
        firing = AlertState.objects.filter(status=AlertStatus.FIRING).values_list("rule", flat=True)
        return [
            _reading(_EVALUATED, last.timestamp() if last else 0.0),
            _reading(_WAITING, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0),
            *(_reading(_FIRING + rule, 1.0) for rule in firing),
        ]
    finally:
        connections["default"].close()


def _reading(name: str, value: float) -> Reading:
    return Reading(name=name, status=Status.PASS, time=datetime.now(UTC), is_required=False, value=value)


watcher = Watcher(_read, overdue=(_EVALUATED, False))
os.register_at_fork(after_in_child=watcher.forget)


def families() -> list[Metric]:
    """Which rules fire, and whether evaluator and outbox keep up; nothing while the database does not answer."""
    values = {reading.name: reading.value for reading in watcher.readings() if reading.value is not None}
    if not values:
        return []
    active = GaugeMetricFamily("kf_alert_active", "1 while the rule fires", labels=("rule", "severity"))
    for rule in RULES:
        active.add_metric((rule.name, rule.severity.value), values.get(_FIRING + rule.name, 0.0))
    waiting = GaugeMetricFamily(
        "kf_alert_outbox_oldest_seconds", "Age of the oldest alert that is not delivered", value=values[_WAITING]
    )
    evaluated = GaugeMetricFamily(
        "kf_alert_evaluator_last_success_timestamp_seconds",
        "When the rules were last evaluated, in seconds of Unix time; 0 for never",
        value=values[_EVALUATED],
    )
    return [active, waiting, evaluated]
