"""Acts upon staff in the admin: support could shut out who could stop it, so that only administrators have them."""

from accounts.admin import UserAdmin
from accounts.login.services import sign_in
from accounts.sessions.models import Session
from accounts.staff import StaffRole
from tests.accounts.admin.door import hire
from tests.accounts.admin.test_lockouts import LockedAccountsCase


class UponStaff(LockedAccountsCase):
    """Support is refused, on record, and is not offered what it would be refused; an administrator is let."""

    def test_only_administrators_act_and_only_they_are_offered_it(self):
        colleague = hire(email="colleague@staff.example.in").user
        unlock = f"/admin/security/credentialcounter/person/{colleague.pk}/"
        for role in (StaffRole.SUPPORT, StaffRole.ADMINISTRATOR):
            omar = self.enter(role, email=f"{role.lower()}@staff.example.in")
            session = sign_in(user=colleague, amr="pwd otp").session
            may = role is StaffRole.ADMINISTRATOR
            page = self.client.get(self.page_of(colleague)).content.decode()
            for text in [f">{act.label}</button>" for act in UserAdmin.acts] + [f'href="{unlock}"']:
                self.assertEqual(text in page, may, (role, text))
            page = self.client.get(self.page_of(session)).content.decode()
            self.assertEqual(">End this session</button>" in page, may)
            answers = [
                self.press(session, "end"),
                *(self.press(colleague, act.name) for act in UserAdmin.acts),
                self.client.get(unlock),
                self.client.post(unlock, {"reason": "the tries were theirs"}),
            ]
            if may:
                self.assertEqual([answer.status_code for answer in answers], [302, 302, 302, 200, 302])
            else:
                for answer in answers:
                    self.assertProblem(answer, 403, "INSUFFICIENT_PERMISSIONS")
                self.assertAudited("permission.denied", times=len(answers), actor=omar.user, target=colleague)
                denied = [data["permission"] for data in self.data_of("permission.denied")]
                self.assertEqual(denied, ["accounts.change_user"] * len(answers))
                self.assertIsNone(Session.objects.get(pk=session.pk).revoked_at)
            self.client.logout()

    def test_the_list_of_locks_offers_support_no_unlocking_of_theirs(self):
        self.guess()
        self.guess(person=hire(email="colleague@staff.example.in").user)
        for role in (StaffRole.SUPPORT, StaffRole.ADMINISTRATOR):
            self.enter(role, email=f"{role.lower()}@staff.example.in")
            offers = {row[0]: row[-1] for row in self.rows()}
            theirs = "Unlock…" if role is StaffRole.ADMINISTRATOR else ""
            self.assertEqual(offers, {self.person.email: "Unlock…", "colleague@staff.example.in": theirs})
            self.client.logout()
