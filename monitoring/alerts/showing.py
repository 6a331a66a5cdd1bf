"""What `/metrics` says of alerts: which fire, and whether whoever evaluates and tells them keeps up."""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.gauges import GAUGES
from monitoring.alerts.machine import Status
from monitoring.alerts.models import AlertState
from monitoring.alerts.rules import Events
from monitoring.alerts.services import evaluated_at
from monitoring.metrics.rows import numbers, watch_rows
from security.audit import AuditEvent
from security.outbox import oldest_waiting

_EVALUATED, _WAITING, _FIRING = "alerts:evaluated", "alerts:waiting", "firing:"
_FAULTS, _LAST = "audit:faults", "last:"
# Of which each single one is told: a counter of one process may end with it, and a command has none that is scraped.
EACH = sorted({type_ for rule in RULES if isinstance(rule.expression, Events) and rule.expression.is_each
               for type_ in rule.expression.types})  # fmt: skip


def _read() -> Iterable[tuple[str, float]]:
    now = datetime.now(UTC)
    last = evaluated_at()
    oldest = oldest_waiting(kind="alert")
    yield _EVALUATED, last.timestamp() if last else 0.0
    yield _WAITING, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    yield _FAULTS, GAUGES["audit_faults"](now) or 0.0
    for rule in AlertState.objects.filter(status=Status.FIRING).values_list("rule", flat=True):
        yield _FIRING + rule, 1.0
    for type_ in EACH:
        yield _LAST + type_, _last_of(type_)


def _last_of(type_: str) -> float:
    moment = AuditEvent.objects.filter(type=type_).order_by("-pk").values_list("occurred_at", flat=True).first()
    return moment.timestamp() if moment else 0.0


watcher = watch_rows(_EVALUATED, _read)


def families(*, until: float | None = None) -> list[Metric]:
    """Which rules fire, whether evaluator and outbox keep up, and what rules of Prometheus ask of the audit log.

    Nothing while the database does not answer.
    """
    values = numbers(watcher, until=until)
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
