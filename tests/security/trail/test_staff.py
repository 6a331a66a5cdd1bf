"""What a member of staff does in the admin is told on their behalf, to the row."""

from accounts.sessions.models import Session
from tests.accounts.admin.door import AdminTestCase
from tests.factories import asha
from tests.security.trail.trail import CHANGED, TrailCase


class ByStaff(TrailCase):
    # Of AdminTestCase, which never commits.
    enter, pass_the_door, press = AdminTestCase.enter, AdminTestCase.pass_the_door, AdminTestCase.press
    give_password, give_code = AdminTestCase.give_password, AdminTestCase.give_code

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()

    def test_a_session_that_is_ended_in_the_admin(self):
        person = asha()
        self.log_in(person)
        session = Session.objects.get(user=person)
        omar = self.enter()
        self.forget()
        response = self.press(session, "end")
        leaf = self.only(CHANGED)
        self.assertEqual((leaf.actor, leaf.request_id), (omar.user.subject_id, response.headers["X-Request-ID"]))
        change = self.change(leaf, "accounts_session", "update")
        self.assertEqual((change["id"], change["subject"]), (str(session.pk), str(person.subject_id)))
        self.assertEqual(change["after"]["end_reason"], "administrator")
