"""Failures in the admin: read by those who help, moved by two buttons, each with its mark."""

from django.urls import reverse
from django.utils import timezone

from accounts.staff import StaffRole
from monitoring.errors.models import ErrorGroup, ErrorState
from tests.accounts.admin.door import AdminTestCase
from tests.monitoring.errors.failing import SECRET

LIST = "/admin/monitoring/errorgroup/"


class Page(AdminTestCase):
    """The list and the page of a group."""

    def a_group(self) -> ErrorGroup:
        now = timezone.now()
        return ErrorGroup.objects.create(
            fingerprint="ab" * 8,
            exception="builtins.RuntimeError",
            message="<b>odd</b>",
            place="accounts/login/services.py log_in",
            traceback=["accounts/login/services.py:88 log_in"],
            route="/api/auth/login",
            request_ids=["req-1"],
            count=42,
            first_seen_at=now,
            last_seen_at=now,
            first_release="0.1.0",
            last_release="0.1.0",
            state_changed_at=now,
        )

    def press(self, group, act):
        return self.client.post(reverse("admin:monitoring_errorgroup_act", args=[group.pk, act]))

    def page_of(self, group) -> str:
        return reverse("admin:monitoring_errorgroup_change", args=[group.pk])

    def test_support_reads_and_moves_a_group(self):
        staff = self.enter(StaffRole.SUPPORT)
        group = self.a_group()
        self.assertContains(self.client.get(LIST), "builtins.RuntimeError")
        page = self.client.get(self.page_of(group))
        for words in ("log_in", "req-1", "&lt;b&gt;odd", "Acknowledge", "Resolve"):
            self.assertContains(page, words)
        self.assertNotContains(page, SECRET)
        for act, state in (("acknowledge", ErrorState.ACKNOWLEDGED), ("resolve", ErrorState.RESOLVED)):
            self.assertEqual(self.press(group, act).status_code, 302)
            group.refresh_from_db()
            self.assertEqual(group.state, state)
        self.assertEqual(self.press(group, "resolve").status_code, 302)
        self.assertAudited("error.viewed", actor=staff.user)
        self.assertAudited("error.acknowledged", actor=staff.user)
        self.assertAudited("error.resolved", actor=staff.user)

    def test_an_auditor_sees_none_and_moves_none(self):
        self.enter(StaffRole.AUDITOR)
        group = self.a_group()
        self.assertProblem(self.client.get(LIST), 403, "INSUFFICIENT_PERMISSIONS")
        self.assertProblem(self.press(group, "resolve"), 403, "INSUFFICIENT_PERMISSIONS")
        group.refresh_from_db()
        self.assertEqual(group.state, ErrorState.NEW)
        self.assertAudited("error.resolved", times=0)

    def test_a_get_moves_none(self):
        self.enter()
        group = self.a_group()
        response = self.client.get(reverse("admin:monitoring_errorgroup_act", args=[group.pk, "resolve"]))
        self.assertProblem(response, 405, "METHOD_NOT_ALLOWED")
