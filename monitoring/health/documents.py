"""The bodies of the probes. The public one says three things and nothing else, whatever the verdict holds."""

from typing import Any

from monitoring.health.board import Verdict
from monitoring.health.readings import rfc3339


def public_document(verdict: Verdict) -> dict[str, Any]:
    """`status`, `timestamp`, `uptime` in seconds."""
    return {
        "status": verdict.health.value,
        "timestamp": rfc3339(verdict.time),
        "uptime": verdict.uptime_seconds,
    }


def detailed_document(verdict: Verdict, *, version: str) -> dict[str, Any]:
    """The public document, the version, and `checks` in the shape of draft-inadarei-api-health-check-06 §4."""
    checks: dict[str, list[dict[str, Any]]] = {}
    for reading in verdict.readings:
        checks.setdefault(reading.name, []).append(reading.document())
    return public_document(verdict) | {"version": version, "checks": checks}
