"""The page "Schedule": every function, what is wrong first; for those whose role includes it."""

import re
from datetime import timedelta

from django.utils import timezone

from accounts.staff import StaffRole
from monitoring.schedule import ScheduleRun, Slot, note_run
from tests.accounts.admin.door import AdminTestCase

PAGE = "/admin/monitoring/schedulerun/"


class SchedulePage(AdminTestCase):
    """Read-only, without a mark: it shows nobody."""

    def test_what_is_wrong_stands_first(self):
        self.enter(StaffRole.AUDITOR)
        now = timezone.now()
        for name, ago, fault in (("a_well", 5, ""), ("b_fails", 5, "OSError"), ("c_gone", 3600, "")):
            at = now - timedelta(seconds=ago)
            slot = Slot(name, next_at=at + timedelta(seconds=10), interval_seconds=10)
            note_run(slot, started_at=at, ended_at=at, seconds=0.5, fault=fault)
        ScheduleRun.objects.create(name="d_never", next_at=now + timedelta(hours=1), interval_seconds=86_400)
        page = self.client.get(PAGE).content.decode()
        names = re.findall(r'<th scope="row">([a-z_]+)<', page)
        badges = re.findall(r'<span class="badge[^"]*">([a-z ]+)<', page)
        self.assertEqual(
            list(zip(names, badges, strict=True)),
            [("b_fails", "fails"), ("c_gone", "overdue"), ("a_well", "runs"), ("d_never", "not yet")],
        )
        self.assertIn("failed (OSError)", page)
        self.assertEqual(self.audited("list.viewed"), [])

    def test_an_installation_whose_schedule_never_ran_says_what_to_start(self):
        self.enter()
        self.assertContains(self.client.get(PAGE), "koshflow.worker")

    def test_support_may_not_see_it_and_the_try_is_marked(self):
        self.enter(StaffRole.SUPPORT)
        self.assertEqual(self.client.get(PAGE).status_code, 403)
        self.assertAudited("permission.denied")
        self.assertEqual(self.data_of("permission.denied")[0]["permission"], "monitoring.view_schedulerun")

    def test_there_is_nothing_to_press(self):
        self.enter()
        self.assertEqual(self.client.post(f"{PAGE}add/").status_code, 404)
