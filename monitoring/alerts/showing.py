"""What `/metrics` says of alerts. A scrape never waits for the database: it shows what a thread beside it read last."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connections
from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.gauges import GAUGES
from monitoring.alerts.machine import Status as AlertStatus
from monitoring.alerts.models import AlertState
from monitoring.alerts.rules import Events
from monitoring.alerts.services import evaluated_at
from monitoring.health.readings import Reading, Status
from monitoring.health.watcher import Watcher
from security.audit import AuditEvent
from security.outbox import oldest_waiting

_EVALUATED, _WAITING, _FIRING = "alerts:evaluated", "alerts:waiting", "firing:"
_FAULTS, _LAST = "audit:faults", "last:"
# Of which each single one is told: a counter of one process may end with it, and a command has none that is scraped.
EACH = sorted({type_ for rule in RULES if isinstance(rule.expression, Events) and rule.expression.is_each
               for type_ in rule.expression.types})  # fmt: skip


def _read() -> Sequence[Reading]:
    now = datetime.now(UTC)
    try:
        last = evaluated_at()
        oldest = oldest_waiting(kind="alert")
        firing = AlertState.objects.filter(status=AlertStatus.FIRING).values_list("rule", flat=True)
        return [
            _reading(_EVALUATED, last.timestamp() if last else 0.0),
            _reading(_WAITING, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0),
            _reading(_FAULTS, GAUGES["audit_faults"](now) or 0.0),
            *(_reading(_FIRING + rule, 1.0) for rule in firing),
            *(_reading(_LAST + type_, _last_of(type_)) for type_ in EACH),
        ]
    finally:
        connections["default"].close()


def _last_of(type_: str) -> float:
    moment = AuditEvent.objects.filter(type=type_).order_by("-pk").values_list("occurred_at", flat=True).first()
    return moment.timestamp() if moment else 0.0


def _reading(name: str, value: float) -> Reading:
    return Reading(name=name, status=Status.PASS, time=datetime.now(UTC), is_required=False, value=value)


watcher = Watcher(_read, overdue=(_EVALUATED, False))
os.register_at_fork(after_in_child=watcher.forget)


def families(*, until: float | None = None) -> list[Metric]:
    """Which rules fire, whether evaluator and outbox keep up, and what rules of Prometheus ask of the audit log.

    Nothing while the database does not answer.
    """
    values = {reading.name: reading.value for reading in watcher.readings(until=until) if reading.value is not None}
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
    faults = GaugeMetricFamily(
        "kf_audit_faults", "What the last verification of the audit log found changed", value=values[_FAULTS]
    )
    last = GaugeMetricFamily(
        "kf_security_event_last_timestamp_seconds",
        "When the last audit event of this type was, in seconds of Unix time; 0 for never",
        labels=("kind",),
    )
    for type_ in EACH:
        last.add_metric((type_,), values[_LAST + type_])
    return [active, waiting, evaluated, faults, last]
