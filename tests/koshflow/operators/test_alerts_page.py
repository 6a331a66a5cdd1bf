"""The page "Alerts": what fires, what is silenced, and who silenced it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.staff import StaffRole
from monitoring.alerts.models import AlertSilence, AlertState
from tests.accounts.admin.door import AdminTestCase

PAGE = "/admin/monitoring/alertstate/"
GOOD = {"which": "rule:long_query", "hours": "2", "reason": "TICKET-4712"}


class Alerts(AdminTestCase):
    """Pending and firing alerts by severity; a silence is made and ended with a mark, by administrators alone."""

    def fire(self, rule: str, status: str = "firing") -> None:
        now = timezone.now()
        AlertState.objects.create(rule=rule, status=status, since=now, fired_at=now, value=7, evaluated_at=now)

    def test_what_fires_stands_there_and_what_is_muted_says_so(self):
        self.enter()
        self.fire("long_query")
        self.fire("lockouts", "pending")
        self.client.post(PAGE, GOOD)
        page = self.client.get(PAGE).content.decode()
        self.assertLess(page.index("long_query"), page.index("lockouts"))
        self.assertIn("no, muted", page)
        self.assertIn("TICKET-4712", page)

    def test_nothing_fires(self):
        self.enter(StaffRole.AUDITOR)
        self.assertContains(self.client.get(PAGE), "Nothing fires.")

    def test_a_silence_is_an_audit_event_of_who_made_it(self):
        omar = self.enter()
        posted = self.client.post(PAGE, GOOD, follow=True)
        self.assertEqual(posted.redirect_chain, [(PAGE, 302)])
        made = AlertSilence.objects.get()
        in_india = timezone.localtime(made.until, ZoneInfo("Asia/Kolkata"))
        self.assertContains(posted, f"Nobody is told of long_query until {in_india:%-d %b, %H:%M}.")
        self.assertEqual((made.rule, made.reason), ("long_query", "TICKET-4712"))
        self.assertEqual(made.until - timezone.now(), timedelta(hours=2))
        self.assertAudited("alert.silenced", actor=omar.user)
        self.assertRedirects(self.client.post(f"{PAGE}silence/{made.pk}/end/"), PAGE)
        self.assertAudited("alert.silence_ended", actor=omar.user)
        made.refresh_from_db()
        self.assertIsNotNone(made.ended_at)

    def test_ending_it_twice_says_so_and_leaves_one_mark(self):
        self.enter()
        self.client.post(PAGE, GOOD)
        made = AlertSilence.objects.get()
        for _ in range(2):
            last = self.client.post(f"{PAGE}silence/{made.pk}/end/", follow=True)
        self.assertContains(last, "had ended already")
        self.assertEqual(len(self.audited("alert.silence_ended")), 1)

    def test_what_may_not_be_is_refused_on_the_page(self):
        self.enter()
        for change in (
            {"reason": ""},
            {"reason": "asha@lotus.example.in"},
            {"which": "rule:nothing"},
            {"hours": "999"},
        ):
            with self.subTest(change):
                response = self.client.post(PAGE, GOOD | change)
                self.assertEqual(response.status_code, 200)
                self.assertRegex(response.content.decode(), 'class="error(list|note)')
        self.assertEqual((AlertSilence.objects.count(), self.audited("alert.silenced")), (0, []))

    def test_others_may_look_and_not_silence(self):
        for role in (StaffRole.SUPPORT, StaffRole.AUDITOR):
            with self.subTest(role):
                self.enter(role, email=f"{role.value.lower()}@staff.example.in")
                self.assertNotContains(self.client.get(PAGE), "Silence alerts")
                self.assertEqual(self.client.post(PAGE, GOOD).status_code, 403)
                self.client.post("/admin/logout/")
        self.assertEqual(AlertSilence.objects.count(), 0)
        denied = [data["permission"] for data in self.data_of("permission.denied")]
        self.assertEqual(denied, ["monitoring.add_alertsilence"] * 2)

    def test_to_end_one_is_no_link(self):
        self.enter()
        self.assertEqual(self.client.get(f"{PAGE}silence/01890a5d-ac96-774b-bcce-b302099a8057/end/").status_code, 405)
