"""What is said of alerts, in one document. How a channel words it is `channels/wording.py`. Pure.

Rules' own words and numbers, and names that operators gave to targets of backups: no person, no address, no path of a
request.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from monitoring.alerts.grouping import Alert
from monitoring.alerts.machine import Status


def document(alerts: Sequence[Alert], *, installation: str, runbooks: str, now: datetime) -> dict[str, Any]:
    """One message about alerts of one family. `installation` says which one speaks, `runbooks` where these lie.

    What fires comes first, and of that the worst: a subject line has room for one, and must not call it what it is not.
    """
    alerts = sorted(alerts, key=_weight, reverse=True)
    first = alerts[0]
    return {
        "type": "alert.firing" if first.standing.status is Status.FIRING else "alert.resolved",
        "family": first.rule.family.value,
        "severity": first.rule.severity.value,
        "installation": installation,
        "at": _text(now),
        "alerts": [_one(alert, installation=installation, runbooks=runbooks) for alert in alerts],
    }


def _weight(alert: Alert) -> tuple[bool, int]:
    return alert.standing.status is Status.FIRING, alert.rule.severity.rank


def _one(alert: Alert, *, installation: str, runbooks: str) -> dict[str, Any]:
    rule, standing = alert.rule, alert.standing
    value = standing.value
    return {
        "rule": rule.name,
        "fingerprint": fingerprint(rule.name, installation=installation),
        "status": Status.FIRING.value if standing.status is Status.FIRING else Status.RESOLVED.value,
        "severity": rule.severity.value,
        "title": rule.title,
        "value": None if value is None else round(value, 4),
        "threshold": rule.threshold,
        "about": list(alert.about),
        "events": None if alert.seen is None else alert.seen.events,
        "firedAt": _text(standing.fired_at),
        "resolvedAt": _text(standing.since) if standing.status is Status.RESOLVED else None,
        "runbook": f"{runbooks}{rule.name}.md",
    }


def fingerprint(rule: str, *, installation: str) -> str:
    """What names this alert of this installation, for ever: receivers put firing and resolved together by it."""
    return hashlib.sha256(f"{installation}\n{rule}".encode()).hexdigest()[:32]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
