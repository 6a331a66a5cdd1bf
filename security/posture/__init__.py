"""The security audit's face: one registry of findings, the run that asks them all, its history and differences.

Whoever knows something worth auditing registers it: `accounts` its people, this app its settings and stores.
"""

from security.posture.history import difference_to_previous, findings_in, keep_run
from security.posture.models import SecurityAuditRun
from security.posture.registry import Fault, NotVerified, Reads, Severity, finding
from security.posture.report import Difference, Finding, Report, difference
from security.posture.services import audit_and_compare, audit_installation, run_audit

__all__ = [
    "Difference",
    "Fault",
    "Finding",
    "NotVerified",
    "Reads",
    "Report",
    "SecurityAuditRun",
    "Severity",
    "audit_and_compare",
    "audit_installation",
    "difference",
    "difference_to_previous",
    "finding",
    "findings_in",
    "keep_run",
    "run_audit",
]
