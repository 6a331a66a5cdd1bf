"""Counts what the ground announces: committed audit events and password hashes. It decides nothing about them."""

from typing import Any

from monitoring.metrics.registry import OTHER, expect, metrics
from security.audit import Action, AuditEvent, event_recorded
from security.breaker import cache_asked
from security.csp_reports import violation_reported
from security.hashing import password_hashed
from security.limits import ADDRESS, GENERAL, PAGES, REGISTER, limit_reached
from security.screening import Finding, request_screened
from security.selectors import Result, selector_asked

# Which act of proving who one is an event tells of; its outcome is the event's own. A sign-in met by a lock-out is
# none: nothing was checked, and its event stands for a minute of them (kf_refusals_total counts each).
_FLOWS = {
    Action.SESSION_CREATED.type: "login",
    Action.SESSION_CREATE_REFUSED.type: "login",
    Action.SECOND_FACTOR_REFUSED.type: "second_factor",
    Action.SECOND_FACTOR_ENABLED.type: "second_factor_setup",
    Action.SECOND_FACTOR_DISABLED.type: "second_factor_disable",
    Action.SECOND_FACTOR_DISABLE_REFUSED.type: "second_factor_disable",
    Action.RECOVERY_CODE_USED.type: "recovery_code",
    Action.COMPANY_REGISTERED.type: "registration",
    Action.REGISTRATION_REFUSED.type: "registration",
    Action.PASSWORD_CHANGED.type: "password_change",
    Action.PASSWORD_CHANGE_REFUSED.type: "password_change",
    Action.PASSWORD_RESET.type: "password_reset",
    Action.PASSWORD_RESET_REFUSED.type: "password_reset",
}
_REFRESHES = {
    Action.SESSION_REFRESHED.type: "success",
    Action.SESSION_REFRESH_REFUSED.type: "refused",
    Action.REFRESH_TOKEN_REUSED.type: "reused",
}
_TYPES = frozenset(action.type for action in Action)


def connect() -> None:
    """Start counting in this process; a second call changes nothing."""
    expect(
        {
            "auth_attempts": {(_FLOWS[one.type], one.outcome.value) for one in Action if one.type in _FLOWS},
            "limit_decisions": {(one.name, "refused") for one in (ADDRESS, GENERAL, PAGES, REGISTER)},
            "cache_requests": {("security", "hit"), ("security", "miss")},
            "cache_errors": {("security",)},
            # Of these, what the rules for Prometheus ask for.
            "refusals": {("BUSY",), ("RATE_LIMITED",)},
            "security_events": {(Action.SECOND_FACTOR_REFUSED.type,)},
        }
    )
    event_recorded.connect(count_event, dispatch_uid="monitoring.metrics")
    password_hashed.connect(observe_hash, dispatch_uid="monitoring.metrics")
    request_screened.connect(count_finding, dispatch_uid="monitoring.metrics")
    violation_reported.connect(count_violation, dispatch_uid="monitoring.metrics")
    selector_asked.connect(count_cached, dispatch_uid="monitoring.metrics")
    limit_reached.connect(count_limit, dispatch_uid="monitoring.metrics")
    cache_asked.connect(count_cache, dispatch_uid="monitoring.metrics")


def count_event(event: AuditEvent, **_signal: Any) -> None:
    """Receiver of `event_recorded`: runs once for each committed event, in the process that wrote it."""
    counted = metrics()
    # The database may hold types of a newer release; a label must not grow with what it holds.
    kind = event.type if event.type in _TYPES else OTHER
    counted.security_events.labels(kind).inc()
    counted.audit_events.labels(event.audit_class, event.outcome).inc()
    if kind in _FLOWS:
        counted.auth_attempts.labels(_FLOWS[kind], event.outcome).inc()
    if kind in _REFRESHES:
        counted.token_refresh.labels(_REFRESHES[kind]).inc()
    if kind == Action.REFRESH_TOKEN_REUSED.type:
        counted.token_reuse.inc()
    if kind == Action.SESSION_LOCKED_OUT.type:
        counted.auth_lockouts.inc()


def observe_hash(seconds: float, queued_seconds: float, **_signal: Any) -> None:
    """Receiver of `password_hashed`, in the thread that hashed."""
    counted = metrics()
    counted.hash_seconds.observe(seconds)
    counted.hash_queue_seconds.observe(queued_seconds)


def count_finding(finding: Finding, action: str, **_signal: Any) -> None:
    """Receiver of `request_screened`: every finding, where audit events stand for a minute of them."""
    counted = metrics()
    for kind in finding.kinds:
        counted.screening_findings.labels(kind, action).inc()


def count_violation(directive: str, **_signal: Any) -> None:
    """Receiver of `violation_reported`, for each violation a browser tells of; the directives are a closed list."""
    metrics().csp_reports.labels(directive).inc()


def count_cached(cache: str, result: Result, **_signal: Any) -> None:
    """Receiver of `selector_asked`; the selectors are a closed list."""
    metrics().cache_answered(cache, result.value)


def count_limit(scope: str, decision: str, **_signal: Any) -> None:
    """Receiver of `limit_reached`: every request, where audit events stand for a minute of them."""
    metrics().limit_decisions.labels(scope, decision).inc()


def count_cache(cache: str, result: str, **_signal: Any) -> None:
    """Receiver of `cache_asked`, on nearly every request: revocations and limits ask the cache `security`."""
    metrics().cache_answered(cache, result)
