"""Who may do what in the admin, and the mark that each act and each refusal leaves."""

from accounts.admin import CompanyAdmin, SessionAdmin, UserAdmin
from accounts.sessions.models import Session
from accounts.staff import StaffRole
from accounts.twofactor.models import TotpDevice
from security.outbox import Mail
from security.outbox.models import OutboxMessage
from tests.accounts.admin.door import AdminTestCase, hire
from tests.factories import asha

ADMINISTRATOR, SUPPORT, AUDITOR = StaffRole.ADMINISTRATOR, StaffRole.SUPPORT, StaffRole.AUDITOR
EVERYBODY = {ADMINISTRATOR, SUPPORT, AUDITOR}
# Act on a person: who may press it, and the event it leaves.
ACTS = {
    "end-sessions": ({ADMINISTRATOR, SUPPORT}, "sessions.ended_all"),
    "send-reset-link": ({ADMINISTRATOR, SUPPORT}, "password.reset_requested"),
}
LABELS = {act.name: act.label for act in UserAdmin.acts}


class RoleAndAct(AdminTestCase):
    """Administrators and support act, auditors read; a refusal is a 403 with a mark."""

    def test_the_table_covers_every_button(self):
        self.assertEqual({act.name for act in UserAdmin.acts}, set(ACTS))
        self.assertEqual([act.name for act in SessionAdmin.acts], ["end"])
        self.assertEqual(CompanyAdmin.acts, ())

    def test_every_role_reads_every_list_and_page(self):
        person = asha()
        self.log_in(person)
        session = Session.objects.get()
        for role in EVERYBODY:
            self.enter(role, email=f"{role.lower()}@staff.example.in")
            for thing in (person, person.company, session):
                with self.subTest(role=role, page=thing._meta.model_name):
                    listed = self.client.get(f"/admin/accounts/{thing._meta.model_name}/")
                    self.assertEqual((listed.status_code, self.client.get(self.page_of(thing)).status_code), (200, 200))
            self.client.logout()

    def test_each_act_on_a_person_for_each_role(self):
        for role in EVERYBODY:
            omar = self.enter(role, email=f"{role.lower()}@staff.example.in")
            for name, (allowed, event) in ACTS.items():
                person = asha(email=f"{role.lower()}-{name}@lotus.example.in")
                with self.subTest(role=role, act=name):
                    if role in allowed:
                        self.assertRedirects(self.press(person, name), self.page_of(person))
                        self.assertActed(event, by=omar.user, on=person)
                    else:
                        self.assertProblem(self.press(person, name), 403, "INSUFFICIENT_PERMISSIONS")
                        self.assertActed("permission.denied", by=omar.user, on=person)
                        self.assertFalse([e for e in self.audited(event) if e.target == person.subject_id])
            self.client.logout()

    def test_ending_a_session_for_each_role(self):
        for role in EVERYBODY:
            omar = self.enter(role, email=f"{role.lower()}@staff.example.in")
            person = asha(email=f"{role.lower()}@lotus.example.in")
            token = self.log_in(person)["accessToken"]
            session = Session.objects.get(user=person)
            with self.subTest(role=role):
                if role is AUDITOR:
                    self.assertProblem(self.press(session, "end"), 403, "INSUFFICIENT_PERMISSIONS")
                    self.assertActed("permission.denied", by=omar.user, on=person)
                    self.assertEqual(self.me(token).status_code, 200)
                else:
                    self.press(session, "end")
                    self.assertActed("session.ended", by=omar.user, on=person)
                    self.assertProblem(self.me(token), 401, "TOKEN_REVOKED")
            self.client.logout()

    def test_buttons_are_shown_to_those_who_may_press_them(self):
        person = asha()
        for role in EVERYBODY:
            self.enter(role, email=f"{role.lower()}@staff.example.in")
            page = self.client.get(self.page_of(person)).content.decode()
            for name, (allowed, _) in ACTS.items():
                self.assertEqual(f">{LABELS[name]}</button>" in page, role in allowed, (role, name))
            self.client.logout()

    def test_unlocking_is_no_button_but_a_page_that_asks_for_a_reason(self):
        person = asha()
        there = f"/admin/security/credentialcounter/person/{person.pk}/"
        for role in EVERYBODY:
            self.enter(role, email=f"{role.lower()}@staff.example.in")
            page = self.client.get(self.page_of(person)).content.decode()
            self.assertEqual(f'<a href="{there}">Unlock…</a>' in page, role is not AUDITOR, role)
            self.assertProblem(self.press(person, "unlock"), 404, "NOT_FOUND")
            self.client.logout()
        self.assertAudited("account.unlocked", times=0)

    def test_staff_without_a_role_enter_and_find_nothing(self):
        omar = self.enter()
        omar.user.groups.clear()
        self.assertInside()
        person = asha()
        for path in ("/admin/accounts/user/", self.page_of(person)):
            self.assertProblem(self.client.get(path), 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", times=2, actor=omar.user)

    def assertActed(self, type_, *, by, on):
        event = self.audited(type_)[-1]
        self.assertEqual((event.actor, event.target), (by.subject_id, on.subject_id), type_)
        self.assertEqual(event.session_id, str(Session.objects.get(user=by).pk))


class WhatActsDo(AdminTestCase):
    """Each act is the API's own service; none of them sets or shows a secret."""

    def test_ending_all_sessions_closes_every_device(self):
        self.enter()
        person = asha()
        tokens = [self.log_in(person)["accessToken"] for _ in range(2)]
        self.press(person, "end-sessions")
        for token in tokens:
            self.assertProblem(self.me(token), 401, "TOKEN_REVOKED")
        data = self.data_of("sessions.ended_all")[0]
        self.assertEqual((data["count"], data["reason"]), (2, "administrator"))
        self.assertAudited("sessions.ended_all")
        self.assertEqual(self.audited("sessions.ended_all")[0].company, person.company.subject_id)

    def test_the_neighbours_session_lives_on(self):
        self.enter()
        person, neighbour = asha(), asha()
        token = self.log_in(neighbour)["accessToken"]
        self.press(person, "end-sessions")
        self.assertEqual(self.me(token).status_code, 200)

    def test_ending_a_session_names_it_and_the_reason(self):
        self.enter()
        person = asha()
        self.log_in(person)
        session = Session.objects.get(user=person)
        self.press(session, "end")
        self.press(session, "end")
        data = self.data_of("session.ended")
        self.assertEqual([(d["session"], d["reason"]) for d in data], [(str(session.pk), "administrator")])

    def test_a_reset_link_is_mailed_to_its_owner_and_shown_to_nobody(self):
        self.enter()
        person = asha()
        response = self.client.post(self.page_of(person).replace("change/", "send-reset-link/"), follow=True)
        self.assertContains(response, "A link to choose a new password is on its way.")
        self.assertNotContains(response, "token=")
        self.assertEqual(OutboxMessage.objects.filter(kind=Mail.PASSWORD_RESET).count(), 1)

    def test_the_fourth_link_in_an_hour_is_not_sent_and_staff_read_why(self):
        self.enter()
        person = asha()
        for _ in range(4):
            response = self.client.post(self.page_of(person).replace("change/", "send-reset-link/"), follow=True)
        self.assertContains(response, "No mail was sent")
        self.assertEqual(OutboxMessage.objects.filter(kind=Mail.PASSWORD_RESET).count(), 3)

    def test_ones_own_sessions_may_be_ended_too(self):
        omar = self.enter()
        self.press(omar.user, "end-sessions")
        self.assertOutside()

    def test_an_act_needs_a_post(self):
        self.enter()
        response = self.client.get(self.page_of(asha()).replace("change/", "end-sessions/"))
        self.assertProblem(response, 405, "METHOD_NOT_ALLOWED")

    def test_an_act_needs_the_csrf_token_of_its_page(self):
        self.enter()
        person = asha()
        self.client.handler.enforce_csrf_checks = True
        self.assertProblem(self.press(person, "end-sessions"), 403, "CSRF_FAILED")

    def test_an_unknown_act_or_person_is_not_found(self):
        self.enter()
        self.assertProblem(self.press(asha(), "set-password"), 404, "NOT_FOUND")
        nobody = hire(email="nobody@staff.example.in").user
        nobody.delete()
        nobody.pk = nobody.subject_id
        self.assertProblem(self.press(nobody, "end-sessions"), 404, "NOT_FOUND")

    def test_nobodys_second_factor_is_touched(self):
        omar = self.enter()
        for name in ACTS:
            self.press(omar.user, name)
        self.assertIsNotNone(TotpDevice.objects.of(omar.user))
