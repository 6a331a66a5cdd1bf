"""Runs of the security audit in the admin: read by those who check, changed by nobody, each reading marked."""

import re
from datetime import UTC, datetime
from unittest.mock import patch

from django.contrib.auth.models import Group, Permission
from django.urls import NoReverseMatch, reverse

# Registers the page, before the addresses of the admin are made.
from accounts.admin import posture  # noqa: F401
from accounts.staff import StaffRole
from security.audit import AuditEvent
from security.posture import Finding, Report, SecurityAuditRun, Severity, keep_run
from security.posture.report import Trouble
from tests.accounts.admin.door import AdminTestCase
from tests.factories import asha

LIST = "/admin/security/securityauditrun/"
AT = datetime(2026, 11, 24, 6, tzinfo=UTC)


def a_finding(id_: str, subject: str, detail: str = "it is there") -> Finding:
    return Finding(id_, Severity.HIGH, "A fault", subject, detail, "Mend it.")


def a_run(*findings: Finding, troubles: tuple[Trouble, ...] = ()) -> SecurityAuditRun:
    report = Report(
        started_at=AT,
        ended_at=AT,
        version="0.1.0",
        environment="production",
        findings=findings,
        troubles=troubles,
        verified=("KF.X001",),
    )
    return keep_run(report, operator="")


class Runs(AdminTestCase):
    """The list of runs, and the page of one."""

    def page_of(self, thing) -> str:
        return reverse("admin:security_securityauditrun_change", args=[thing.pk])

    def text_of(self, run) -> str:
        response = self.client.get(self.page_of(run))
        self.assertEqual(response.status_code, 200, response.content)
        return response.content.decode()

    def column(self, page: str, name: str) -> str:
        return re.search(rf"field-{name}\b.*?<div class=\"readonly\">(.*?)</div>", page, re.DOTALL)[1]

    def test_the_list_shows_each_run_and_its_numbers(self):
        self.enter()
        a_run(a_finding("KF.X001", "one"), troubles=(Trouble("KF.X002", "Other", "TypeError"),))
        page = self.client.get(LIST).content.decode()
        for name, number in (("critical", 0), ("high", 1), ("not_verified", 1)):
            self.assertRegex(page, rf'class="field-{name}">{number}<')

    def test_a_run_says_what_it_found_and_what_changed(self):
        self.enter()
        a_run(a_finding("KF.X001", "old"), a_finding("KF.X001", "stays"), a_finding("KF.X002", "unasked"))
        page = self.text_of(a_run(a_finding("KF.X001", "fresh"), a_finding("KF.X001", "stays")))
        self.assertIn("fresh", self.column(page, "found"))
        self.assertIn("Mend it.", self.column(page, "found"))
        for name, subject in (("new", "fresh"), ("fixed", "old"), ("unknown", "unasked")):
            column = self.column(page, name)
            shown = [word for word in ("fresh", "old", "stays", "unasked") if f"({word})" in column]
            self.assertEqual(shown, [subject])
        self.assertEqual(self.column(page, "standing"), "1")

    def test_the_first_run_has_nothing_to_compare_with(self):
        self.enter()
        self.assertEqual(self.column(self.text_of(a_run()), "new"), "no run before this one")

    def test_what_could_not_be_verified_is_told(self):
        self.enter()
        page = self.text_of(a_run(troubles=(Trouble("KF.X002", "Other", "TypeError"),)))
        self.assertIn("KF.X002 Other: TypeError", self.column(page, "not_verified_why"))

    def test_a_person_is_a_link_to_their_page(self):
        self.enter()
        person = asha()
        page = self.text_of(a_run(a_finding("KF.X001", f"person {person.subject_id}")))
        (link,) = re.findall(rf'href="([^"]+)">person {person.subject_id}</a>', page)
        found = self.client.get(link)
        self.assertContains(found, reverse("admin:accounts_user_change", args=[person.pk]))
        self.assertEqual(len(found.context_data["cl"].result_list), 1)

    def test_markup_in_a_finding_is_text(self):
        self.enter()
        page = self.text_of(a_run(a_finding("KF.X001", "<b>one</b>", "<script>alert(1)</script>")))
        self.assertNotIn("<script>alert", page)
        self.assertNotIn("<b>one", page)

    def test_reading_leaves_a_mark(self):
        omar = self.enter()
        run = a_run()
        self.client.get(LIST)
        self.text_of(run)
        self.assertAudited("list.viewed", actor=omar.user)
        self.assertAudited("security_audit.viewed", actor=omar.user)
        self.assertEqual(self.data_of("security_audit.viewed"), [{"run": str(run.pk), "surface": "admin"}])

    def test_without_its_mark_nothing_is_shown(self):
        self.enter()
        run = a_run(a_finding("KF.X001", "one"))
        with patch.object(AuditEvent, "save", side_effect=RuntimeError):
            response = self.client.get(self.page_of(run))
        self.assertEqual(response.status_code, 500)
        self.assertNotIn("KF.X001", response.content.decode())

    def test_nothing_can_be_added_changed_or_deleted(self):
        self.enter()
        run = a_run()
        for act in ("add", "delete", "history"):
            with self.assertRaises(NoReverseMatch):
                reverse(f"admin:security_securityauditrun_{act}", args=[] if act == "add" else [run.pk])
        self.assertProblem(self.client.post(self.page_of(run), {"high": 0}), 403, "INSUFFICIENT_PERMISSIONS")

    def test_support_does_not_read_it(self):
        self.enter(StaffRole.SUPPORT)
        run = a_run()
        for path in (LIST, self.page_of(run)):
            self.assertProblem(self.client.get(path), 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("security_audit.viewed", times=0)

    def test_whoever_has_the_right_reads_it(self):
        self.enter(StaffRole.AUDITOR)
        group = Group.objects.get(name=StaffRole.AUDITOR.value)
        group.permissions.add(Permission.objects.get(codename="view_securityauditrun"))
        self.text_of(a_run())
