"""Runs the security audit: asks every rule that means something here, and keeps what they said."""

import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from security.posture.history import difference_to_previous, keep_run
from security.posture.models import SecurityAuditRun
from security.posture.registry import Rule, Severity, ask, rules
from security.posture.rendering import Outcome
from security.posture.report import Report, Trouble, findings_of

logger = logging.getLogger("security.posture")

NOT_VERIFIED = 2


def audit_installation(asked: Iterable[Rule] | None = None) -> Report:
    """Ask every registered rule (or those of `asked`); nothing is stored, and no failing rule raises."""
    every = rules() if asked is None else list(asked)
    started_at = timezone.now()
    answers = [ask(rule) for rule in every if rule.is_asked]
    return Report(
        started_at=started_at,
        ended_at=timezone.now(),
        version=settings.VERSION,
        environment=settings.ENVIRONMENT,
        findings=findings_of(answers),
        troubles=tuple(Trouble(a.rule.id, a.rule.title, a.trouble) for a in answers if a.trouble),
        verified=tuple(answer.rule.id for answer in answers if not answer.trouble),
        not_asked=tuple(rule.id for rule in every if not rule.is_asked),
    )


def run_audit() -> SecurityAuditRun:
    """Run the audit and keep the run: the function for a schedule. Raises DatabaseError where it cannot be kept."""
    return keep_run(audit_installation(), operator="")


def audit_and_compare(*, operator: str, fail_on: Severity | None, is_compared: bool) -> Outcome:
    """Run the audit for `operator`, keep the run, and compare it with the one before where that `is_compared`.

    A run that cannot be kept is told all the same, and counts as not verified: exit code 2.
    """
    report = audit_installation()
    try:
        run = keep_run(report, operator=operator)
        changes = difference_to_previous(run) if is_compared else None
    except DatabaseError:
        logger.exception("security_audit_not_kept")
        return Outcome(report=report, exit_code=NOT_VERIFIED, is_kept=False, is_compared=is_compared)
    code = report.exit_code(fail_on=fail_on)
    return Outcome(report=report, exit_code=code, is_kept=True, is_compared=is_compared, changes=changes)
