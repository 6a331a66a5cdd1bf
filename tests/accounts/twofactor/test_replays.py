"""A code that was right and is spent: refused, but not held against who clicked twice."""

from accounts.twofactor.models import TotpDevice
from tests.accounts.twofactor.authenticator import DISABLE, STEP_SECONDS, SecondFactorMixin, code_of, wrong_code
from tests.accounts.twofactor.test_sign_in import SignInTestCase
from tests.base import CommittingApiTestCase
from tests.factories import asha
from tests.security.audit.minutes import Minutes


class Replays(SignInTestCase):
    """Once a minute a spent code is refused for nothing; further ones count as the guesses they may be."""

    def setUp(self):
        super().setUp()
        self.minutes = Minutes(self)

    def guesses(self):
        return TotpDevice.objects.get().guesses

    def replay(self, **members):
        refused = self.sign_in(self.person, **(members or {"twoFactorCode": code_of(self.holder.secret)}))
        return self.assertProblem(refused, 401, "INVALID_2FA_CODE")

    def double_click(self):
        self.assertEqual(self.sign_in(self.person, twoFactorCode=code_of(self.holder.secret)).status_code, 200)
        self.replay()

    def test_a_double_click_is_refused_and_costs_nothing(self):
        self.double_click()
        self.assertEqual(self.guesses(), 0)

    def test_who_clicks_twice_at_each_of_twenty_sign_ins_is_never_locked_out(self):
        for _ in range(20):
            self.double_click()
            self.clock.advance(seconds=2 * STEP_SECONDS)
            self.minutes.pass_one()
        self.assertEqual(self.guesses(), 0)

    def test_it_is_refused_in_the_words_of_a_wrong_one_and_named_in_the_trail_only(self):
        self.double_click()
        replayed, wrong = self.replay(), self.replay(twoFactorCode=wrong_code(self.holder.secret))
        for document in (replayed, wrong):
            document.pop("requestId")
        self.assertEqual(replayed, wrong)
        data = [event.parsed_leaf().data for event in self.audited("second_factor.refused")]
        self.assertEqual([entry.get("replayed", False) for entry in data], [True, True, False])

    def test_further_replays_count_and_lock_like_wrong_codes(self):
        self.double_click()
        for counted in range(1, 11):
            self.replay()
            self.assertEqual(self.guesses(), counted)
        locked = self.sign_in(self.person, twoFactorCode=code_of(self.holder.secret))
        self.assertProblem(locked, 429, "ACCOUNT_LOCKED")

    def test_a_wrong_code_counts_at_once(self):
        self.replay(twoFactorCode=wrong_code(self.holder.secret))
        self.assertEqual(self.guesses(), 1)

    def test_an_earlier_code_than_the_one_spent_is_a_replay_too(self):
        self.sign_in(self.person, twoFactorCode=code_of(self.holder.secret, steps_away=1))
        self.replay()
        self.assertEqual(self.guesses(), 0)

    def test_a_used_recovery_code_is_treated_alike(self):
        code = {"recoveryCode": self.holder.recovery_codes[0]}
        self.assertEqual(self.sign_in(self.person, **code).status_code, 200)
        self.replay(**code)
        self.assertEqual(self.guesses(), 0)
        self.replay(**code)
        self.assertEqual(self.guesses(), 1)


class TwoClicksAtOnce(SecondFactorMixin, CommittingApiTestCase):
    """The second may have read the device before the first wrote it."""

    def test_one_is_done_and_the_other_costs_nothing(self):
        self.clock = self.stop_the_clock()
        holder = self.enrol(asha())
        code = code_of(holder.secret)
        tokens = [self.challenge(holder.person) for _ in range(2)]
        answers = self.in_parallel(2, lambda n: self.answer(tokens[n], code))
        self.assertEqual(sorted(answer.status_code for answer in answers), [200, 401])
        self.assertEqual(TotpDevice.objects.get().guesses, 0)
        self.assertEqual(self.post(DISABLE, {"token": code}, token=holder.access).status_code, 400)
