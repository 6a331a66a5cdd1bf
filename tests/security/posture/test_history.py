"""Runs are kept, bounded, and each is compared with the one before."""

from datetime import UTC, datetime
from unittest import TestCase as PureTestCase
from unittest.mock import patch

from django.test import TestCase

from security.audit import AuditEvent
from security.posture import (
    Finding,
    Report,
    SecurityAuditRun,
    Severity,
    difference,
    difference_to_previous,
    findings_in,
    keep_run,
    run_audit,
)

AT = datetime(2026, 11, 24, 6, tzinfo=UTC)


def a_finding(id_: str, subject: str = "one") -> Finding:
    return Finding(id_, Severity.HIGH, "A fault", subject, "it is there", "Mend it.")


def a_report(*findings: Finding, verified: tuple[str, ...] = ("KF.X001", "KF.X002")) -> Report:
    return Report(
        started_at=AT,
        ended_at=AT,
        version="0.1.0",
        environment="production",
        findings=findings,
        troubles=(),
        verified=verified,
    )


class Differences(PureTestCase):
    """A fault counts as fixed only when its rule was asked again and did not find it."""

    def test_new_fixed_standing(self):
        stays, goes, comes = a_finding("KF.X001"), a_finding("KF.X001", "two"), a_finding("KF.X002")
        found = difference(before=[stays, goes], now=[stays, comes], verified=["KF.X001", "KF.X002"])
        self.assertEqual((found.new, found.fixed, found.standing, found.unknown), ((comes,), (goes,), (stays,), ()))

    def test_a_rule_that_did_not_answer_fixed_nothing(self):
        found = difference(before=[a_finding("KF.X001")], now=[], verified=["KF.X002"])
        self.assertEqual((found.fixed, found.unknown), ((), (a_finding("KF.X001"),)))

    def test_another_detail_is_the_same_fault(self):
        later = Finding("KF.X001", Severity.HIGH, "A fault", "one", "it grew", "Mend it.")
        found = difference(before=[a_finding("KF.X001")], now=[later], verified=["KF.X001"])
        self.assertEqual((found.new, found.standing), ((), (later,)))


class History(TestCase):
    """What a run found can be read later as it was."""

    def test_a_run_reads_as_it_was_kept(self):
        run = keep_run(a_report(a_finding("KF.X001")), operator="omar")
        kept = SecurityAuditRun.objects.get(pk=run.pk)
        self.assertEqual(findings_in(kept), (a_finding("KF.X001"),))
        self.assertEqual((kept.critical, kept.high, kept.started_at), (0, 1, AT))

    def test_each_is_compared_with_the_one_before(self):
        first = keep_run(a_report(a_finding("KF.X001")), operator="")
        second = keep_run(a_report(a_finding("KF.X002")), operator="")
        third = keep_run(a_report(), operator="")
        self.assertIsNone(difference_to_previous(first))
        changes = difference_to_previous(second)
        self.assertEqual((changes.new, changes.fixed), ((a_finding("KF.X002"),), (a_finding("KF.X001"),)))
        self.assertEqual(difference_to_previous(third).fixed, (a_finding("KF.X002"),))

    def test_the_newest_are_kept(self):
        with patch("security.posture.history.MOST_KEPT", 2):
            runs = [keep_run(a_report(), operator="") for _ in range(4)]
        self.assertEqual([run.pk for run in SecurityAuditRun.objects.all()], [runs[3].pk, runs[2].pk])

    def test_a_run_is_an_audit_event(self):
        run = keep_run(a_report(a_finding("KF.X001")), operator="omar")
        event = AuditEvent.objects.get(type="security_audit.run")
        counts = {"critical": 0, "high": 1, "medium": 0, "low": 0, "not_verified": 0}
        self.assertEqual(event.parsed_leaf().data, {"run": str(run.pk), "operator": "omar", **counts})
        self.assertEqual(event.audit_class, "system")

    def test_the_schedules_run_names_nobody(self):
        run_audit()
        self.assertNotIn("operator", AuditEvent.objects.get(type="security_audit.run").parsed_leaf().data)
        self.assertEqual(SecurityAuditRun.objects.count(), 1)

    def test_run_and_event_stand_or_fall_together(self):
        with (
            patch("security.posture.history.record", side_effect=RuntimeError),
            self.assertRaises(RuntimeError),
        ):
            keep_run(a_report(), operator="")
        self.assertEqual(SecurityAuditRun.objects.count(), 0)
