"""Resetting a forgotten password through its URLs."""

import re

from django.core import mail
from django.utils import timezone

from accounts.identity.models import User
from accounts.passwords.models import PasswordReset
from accounts.passwords.reset import purge_password_resets
from security.outbox import OutboxMessage, deliver_due
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import PASSWORD, asha, chitra

REQUEST = "/api/auth/password-reset"
CONFIRM = "/api/auth/password-reset/confirm"
NEW = "Another-Harvest-58"


def mailed_token() -> str:
    """The token in the newest mail, after the outbox has done what waits in it."""
    deliver_due()
    return re.search(r"token=([\w-]+)", mail.outbox[-1].body)[1]


class AskForAReset(ApiTestCase):
    """The answer is the same for everyone; only the person gets a mail."""

    def test_known_unknown_and_inactive_get_the_same_answer(self):
        known, inactive = asha(), chitra(is_active=False)
        answers = [self.post(REQUEST, {"email": e}) for e in (known.email.upper(), "nobody@example.in", inactive.email)]
        self.assertEqual({answer.status_code for answer in answers}, {202})
        self.assertEqual(len({answer.content for answer in answers}), 1)
        deliver_due()
        self.assertEqual([message.to for message in mail.outbox], [[known.email]])
        events = self.audited("password.reset_requested")  # of nobody: one a client and minute
        self.assertEqual([event.target for event in events], [known.subject_id, None])

    def test_the_token_is_in_the_mail_only(self):
        self.post(REQUEST, {"email": asha().email})
        token = mailed_token()
        self.assertNotIn(token, str(PasswordReset.objects.values().get()) + str(list(OutboxMessage.objects.values())))

    def test_a_person_gets_at_most_three_mails_an_hour(self):
        clock = self.stop_the_clock()
        person = asha()
        for _ in range(5):
            self.assertEqual(self.post(REQUEST, {"email": person.email}).status_code, 202)
        deliver_due()
        self.assertEqual(len(mail.outbox), 3)
        self.assertAudited("password.reset_requested", times=5, target=person)
        clock.advance(seconds=3601)
        self.post(REQUEST, {"email": person.email})
        deliver_due()
        self.assertEqual(len(mail.outbox), 4)


class ResetThePassword(ApiTestCase):
    """The mailed token sets a new password once, within ten minutes."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.person = asha()

    def ask(self):
        self.post(REQUEST, {"email": self.person.email})
        return mailed_token()

    def confirm(self, token, password=NEW):
        return self.post(CONFIRM, {"token": token, "newPassword": password})

    def test_it_changes_the_password_ends_all_sessions_and_does_not_sign_in(self):
        before = self.log_in(self.person)
        response = self.confirm(self.ask())
        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(set(response.json()), {"message"})
        self.assertProblem(self.me(before["accessToken"]), 401, "TOKEN_REVOKED")
        self.log_in(self.person, NEW)
        self.assertAudited("password.reset", actor=self.person, target=self.person)

    def test_the_person_is_told_by_mail(self):
        self.confirm(self.ask())
        deliver_due()
        self.assertEqual(mail.outbox[-1].subject, "Your KoshFlow password was changed")

    def test_a_token_works_once(self):
        token = self.ask()
        self.confirm(token)
        self.assertProblem(self.confirm(token, "Third-Harvest-59"), 400, "RESET_TOKEN_INVALID")
        self.assertTrue(User.objects.get().check_password(NEW))

    def test_it_ends_after_ten_minutes(self):
        token = self.ask()
        self.clock.advance(seconds=601)
        self.assertProblem(self.confirm(token), 400, "RESET_TOKEN_INVALID")
        self.assertAudited("password.reset_refused")

    def test_a_newer_request_voids_it(self):
        old = self.ask()
        self.clock.advance(seconds=1)
        new = self.ask()
        self.assertProblem(self.confirm(old), 400, "RESET_TOKEN_INVALID")
        self.assertEqual(self.confirm(new).status_code, 200)

    def test_a_weak_password_is_refused_and_the_token_stays_good(self):
        token = self.ask()
        self.assertProblem(self.confirm(token, "short"), 400, "VALIDATION_FAILED", field="newPassword")
        self.assertEqual(self.confirm(token).status_code, 200)

    def test_a_person_deactivated_since_is_refused(self):
        token = self.ask()
        User.objects.update(is_active=False)
        self.assertProblem(self.confirm(token), 400, "RESET_TOKEN_INVALID")

    def test_a_changed_password_voids_the_mailed_link(self):
        token = self.ask()
        session = self.log_in(self.person)
        members = {"currentPassword": PASSWORD, "newPassword": "Third-Harvest-59"}
        self.post("/api/auth/change-password", members, token=session["accessToken"])
        self.assertProblem(self.confirm(token), 400, "RESET_TOKEN_INVALID")

    def test_old_requests_are_purged(self):
        self.ask()
        self.assertEqual(purge_password_resets(), 0)
        self.clock.advance(seconds=25 * 3600)
        self.assertEqual((purge_password_resets(), purge_password_resets()), (1, 0))


class ParallelResets(CommittingApiTestCase):
    """One token changes one password, and three mails an hour are three, however many ask at once."""

    def test_of_twelve_parallel_requests_three_are_mailed_and_one_token_is_alive(self):
        person = asha()
        answers = self.in_parallel(12, lambda _: self.post(REQUEST, {"email": person.email}))
        self.assertEqual({answer.status_code for answer in answers}, {202})
        self.in_parallel(4, lambda _: deliver_due())
        deliver_due()
        self.assertEqual(len(mail.outbox), 3)
        self.assertEqual(PasswordReset.objects.usable(timezone.now()).count(), 1)

    def test_of_ten_parallel_confirmations_one_succeeds(self):
        self.post(REQUEST, {"email": asha().email})
        token = mailed_token()
        passwords = [f"Parallel-Harvest-{number}" for number in range(10, 20)]
        answers = self.in_parallel(10, lambda n: self.post(CONFIRM, {"token": token, "newPassword": passwords[n]}))
        won = [number for number, answer in enumerate(answers) if answer.status_code == 200]
        self.assertEqual(len(won), 1, [answer.status_code for answer in answers])
        self.assertTrue(User.objects.get().check_password(passwords[won[0]]))
        self.assertFalse(User.objects.get().check_password(PASSWORD))
