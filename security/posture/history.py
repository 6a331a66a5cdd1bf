"""Keeps runs, the newest few hundred, and compares one with the run before it."""

from dataclasses import asdict

from django.db import transaction

from security.audit import Action, record
from security.posture.models import SecurityAuditRun
from security.posture.report import Difference, Finding, Report, difference

MOST_KEPT = 400  # a year of nightly runs, and room for those by hand


def keep_run(report: Report, *, operator: str) -> SecurityAuditRun:
    """Store the run with its audit event, and forget the runs beyond the newest 400.

    `operator` is the system account that asked, "" for the schedule. Raises DatabaseError: then neither is kept.
    """
    with transaction.atomic(durable=True):
        run = SecurityAuditRun.objects.create(
            started_at=report.started_at,
            ended_at=report.ended_at,
            version=report.version,
            environment=report.environment,
            findings=[finding.as_document() for finding in report.findings],
            troubles=[asdict(trouble) for trouble in report.troubles],
            verified=list(report.verified),
            **report.counts,
        )
        beyond = list(SecurityAuditRun.objects.values_list("pk", flat=True)[MOST_KEPT:])
        SecurityAuditRun.objects.filter(pk__in=beyond).delete()
        by = {"operator": operator} if operator else {}
        counts = {**report.counts, "not_verified": len(report.troubles)}
        record(Action.SECURITY_AUDIT_RUN, data={"run": str(run.pk), **counts, **by})
    return run


def previous_run(run: SecurityAuditRun) -> SecurityAuditRun | None:
    """The kept run before `run`, if any."""
    return SecurityAuditRun.objects.filter(pk__lt=run.pk).first()


def difference_to_previous(run: SecurityAuditRun) -> Difference | None:
    """How `run` differs from the one before; None where there is none."""
    before = previous_run(run)
    if before is None:
        return None
    return difference(before=findings_in(before), now=findings_in(run), verified=run.verified)


def findings_in(run: SecurityAuditRun) -> tuple[Finding, ...]:
    """What a kept run found."""
    return tuple(Finding.from_document(document) for document in run.findings)
