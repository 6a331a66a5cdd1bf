"""Refusals of somebody signed in: each leaves a mark, and no number of them fills the disk."""

from security.audit.models import AuditEvent
from tests.accounts.twofactor.authenticator import (
    DISABLE,
    RECOVERY_CODES,
    SETUP,
    VERIFY,
    SecondFactorMixin,
    wrong_code,
)
from tests.base import MadeOnceTestCase
from tests.factories import PASSWORD, asha, bilal
from tests.security.audit.minutes import Minutes

JUNK = {"token": "123456"}


class FloodOfRefusals(SecondFactorMixin, MadeOnceTestCase):
    """What no counter bounds is one event a session, act, reason and minute, which tells of those before it."""

    def make(self):
        self.person = asha()
        self.token = self.log_in(self.person)["accessToken"]

    def setUp(self):
        super().setUp()
        self.minutes = Minutes(self)

    def flood(self, path, body, times=8, token=""):
        answers = [self.post(path, body, token=token or self.token) for _ in range(times)]
        self.assertEqual(len({(answer.status_code, answer.json()["code"]) for answer in answers}), 1)
        return answers[0]

    def data(self, type_="second_factor.refused"):
        return [event.parsed_leaf().data for event in self.audited(type_)]

    def test_verifying_with_nothing_pending(self):
        self.assertProblem(self.flood(VERIFY, JUNK), 400, "2FA_VERIFICATION_ERROR")
        self.assertEqual(self.data(), [{"act": "verify", "reason": "not_pending"}])
        self.assertAudited("second_factor.refused", actor=self.person, target=self.person)

    def test_the_next_minutes_event_tells_how_many_there_were(self):
        self.flood(VERIFY, JUNK)
        self.minutes.pass_one()
        self.flood(VERIFY, JUNK)
        self.assertEqual([entry.get("repeats") for entry in self.data()], [None, 7])

    def test_disabling_and_renewing_where_none_is_on(self):
        self.flood(DISABLE, JUNK)
        self.flood(RECOVERY_CODES, JUNK)
        self.assertEqual(self.data("second_factor.disable_refused"), [{"act": "disable", "reason": "not_enabled"}])
        self.assertEqual(self.data(), [{"act": "recovery_codes", "reason": "not_enabled"}])

    def test_setting_up_where_it_is_on(self):
        holder = self.enrol(bilal(company=self.person.company))
        self.flood(SETUP, {"password": PASSWORD}, token=holder.access)
        self.assertEqual(self.data(), [{"act": "setup", "reason": "already_enabled"}])

    def test_a_sign_in_that_is_not_fresh(self):
        holder = self.enrol(bilal(company=self.person.company))
        self.clock.advance(seconds=601)
        self.assertProblem(self.flood(DISABLE, JUNK, token=holder.access), 403, "REAUTHENTICATION_REQUIRED")
        self.assertEqual(self.data("second_factor.disable_refused"), [{"act": "disable", "reason": "stale_sign_in"}])

    def test_from_as_many_addresses_as_one_likes(self):
        for number in range(8):
            self.post(VERIFY, JUNK, token=self.token, REMOTE_ADDR=f"2001:db8:{number}::1")
        self.assertAudited("second_factor.refused")

    def test_a_neighbour_in_the_same_minute_and_another_session_have_their_own(self):
        self.flood(VERIFY, JUNK)
        colleague = bilal(company=self.person.company)
        self.flood(VERIFY, JUNK, token=self.log_in(colleague)["accessToken"])
        self.flood(VERIFY, JUNK, token=self.log_in(self.person)["accessToken"])
        actors = [event.actor for event in self.audited("second_factor.refused")]
        self.assertEqual(actors, [self.person.subject_id, colleague.subject_id, self.person.subject_id])

    def test_a_wrong_password_leaves_one_each_until_the_lock_out_ends_it(self):
        answers = [self.post(SETUP, {"password": "wrong"}, token=self.token) for _ in range(30)]
        self.assertEqual(
            [answer.status_code for answer in answers], [400] * 15 + [429] * 15
        )  # 5, and 10 on a known device
        self.assertEqual(self.data(), [{"act": "setup", "reason": "password"}] * 15)
        self.assertAudited("session.locked_out", target=self.person)

    def test_a_locked_factor_is_one_event_wherever_it_is_knocked_at_from(self):
        holder = self.enrol(bilal(company=self.person.company))
        wrong = {"token": wrong_code(holder.secret)}
        for number in range(13):
            self.post(DISABLE, wrong, token=holder.access, REMOTE_ADDR=f"2001:db8:{number}::1")
        self.minutes.pass_one()
        self.post(DISABLE, wrong, token=holder.access)
        data = self.data("session.locked_out")
        self.assertEqual(data, [{"factor": "otp"}, {"factor": "otp", "repeats": 2}])

    def test_thousands_leave_a_handful(self):
        before = AuditEvent.objects.count()
        for path in (VERIFY, DISABLE, RECOVERY_CODES):
            self.flood(path, JUNK, times=40)
        self.assertEqual(AuditEvent.objects.count() - before, 3)
