"""The page "Alerts": what fires, what is silenced, and who silenced it."""

import re
from datetime import timedelta
from html import unescape
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.test import override_settings
from django.utils import timezone

from accounts.staff import StaffRole
from monitoring.alerts import silence
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

    def test_it_says_who_was_told_and_never_that_somebody_was_where_there_is_no_channel(self):
        self.enter()
        self.fire("long_query")
        self.assertEqual(self.told(), ["no channel"])
        with override_settings(ALERT_MAIL_TO=["ops@example.in"]):
            self.assertEqual(self.told(), ["not yet"])
            AlertState.objects.update(told="firing", told_at=timezone.now())
            self.fire("lockouts", "pending")
            self.assertEqual(self.told(), ["yes", "not yet"])
            self.assertNotContains(self.client.get(PAGE), "No channel is set up")
        self.assertContains(self.client.get(PAGE), "No channel is set up")

    def told(self) -> list[str]:
        return re.findall(r"<td>([\w, ]+)</td>\s*</tr>", self.client.get(PAGE).content.decode())

    def test_what_is_never_silent_is_not_offered(self):
        self.enter()
        page = self.client.get(PAGE)
        self.assertContains(page, 'value="rule:lockouts"')
        self.assertNotContains(page, 'value="rule:audit_log_broken"')

    def test_a_silence_names_what_is_told_all_the_same(self):
        self.enter()
        posted = self.client.post(PAGE, GOOD | {"which": "family:security"}, follow=True)
        spared = "audit_log_broken, audit_seal_late, changed_past_services"
        self.assertRegex(posted.content.decode(), rf"Silent until [\w ,:]+: all of security, but for {spared}\.")
        self.assertContains(posted, f"all of security, but for {spared}, which are never silent")

    def test_nothing_is_chosen_before_somebody_chooses(self):
        self.enter()
        self.assertContains(self.client.get(PAGE), '<option value="" selected>choose</option>', html=True)
        self.client.post(PAGE, GOOD | {"which": ""})
        self.assertEqual(AlertSilence.objects.count(), 0)

    def test_a_rule_leads_to_its_runbook_where_they_have_an_address(self):
        self.enter()
        self.fire("long_query")
        self.assertNotContains(self.client.get(PAGE), "long_query.md")
        with override_settings(ALERT_RUNBOOKS_URL="https://wiki.example.in/runbooks/"):
            page = self.client.get(PAGE)
        self.assertContains(page, '<a href="https://wiki.example.in/runbooks/long_query.md">long_query</a>', html=True)

    def test_what_no_channel_takes_is_not_said_to_be_told_soon(self):
        self.enter()
        self.fire("staff_device_unknown")
        with override_settings(ALERT_PAGERDUTY_KEY="0" * 32):
            self.assertEqual(self.told(), ["no, info pages nobody"])

    def test_nothing_fires(self):
        self.enter(StaffRole.AUDITOR)
        self.assertContains(self.client.get(PAGE), "Nothing fires.")

    def test_a_silence_is_an_audit_event_of_who_made_it(self):
        omar = self.enter()
        posted = self.client.post(PAGE, GOOD, follow=True)
        self.assertEqual(posted.redirect_chain, [(PAGE, 302)])
        made = AlertSilence.objects.get()
        in_india = timezone.localtime(made.until, ZoneInfo("Asia/Kolkata"))
        self.assertContains(posted, f"Silent until {in_india:%-d %b, %H:%M}: long_query.")
        self.assertEqual((made.rule, made.reason), ("long_query", "TICKET-4712"))
        [events] = re.findall(rf'<td><a href="([^"]+)">{omar.user.subject_id}</a></td>', posted.content.decode())
        self.assertContains(self.client.get(unescape(events)), omar.user.email)
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
        author = uuid4()
        silence(rule="lockouts", reason="CASE-12", until=timezone.now() + timedelta(hours=1), author=str(author))
        for role, may_read in ((StaffRole.SUPPORT, False), (StaffRole.AUDITOR, True)):
            with self.subTest(role):
                self.enter(role, email=f"{role.value.lower()}@staff.example.in")
                self.assertNotContains(self.client.get(PAGE), "Silence alerts")
                self.assertContains(self.client.get(PAGE), f'">{author}</a>', count=int(may_read))
                self.assertEqual(self.client.post(PAGE, GOOD).status_code, 403)
                self.client.post("/admin/logout/")
        self.assertEqual(AlertSilence.objects.count(), 1)
        denied = [data["permission"] for data in self.data_of("permission.denied")]
        self.assertEqual(denied, ["monitoring.add_alertsilence"] * 2)

    def test_to_end_one_is_no_link(self):
        self.enter()
        self.assertEqual(self.client.get(f"{PAGE}silence/01890a5d-ac96-774b-bcce-b302099a8057/end/").status_code, 405)
