"""Parallel tries: a code, a recovery code and a challenge are used once, and guesses stay few (ASVS 2.3.4)."""

import os

import pytest

from accounts.login.services import sign_in
from accounts.sessions.models import Session
from accounts.twofactor.models import Challenge, RecoveryCode, TotpDevice
from security.errors import InvalidCredentials
from tests.accounts.twofactor.authenticator import (
    DISABLE,
    LOGIN,
    SETUP,
    VERIFY,
    SecondFactorMixin,
    code_of,
    wrong_code,
)
from tests.base import CommittingApiTestCase
from tests.factories import PASSWORD, asha

RACE_ROUNDS = int(os.environ.get("KOSHFLOW_RACE_ROUNDS", "2"))
REFUSED = {"INVALID_2FA_CODE", "CHALLENGE_INVALID", "ACCOUNT_LOCKED", "BUSY"}


class Races(SecondFactorMixin, CommittingApiTestCase):
    """However many come at once."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.holder = self.enrol(asha())
        self.person = self.holder.person

    def codes(self, responses):
        """The refusal code of each, "" for a sign-in; nothing may be a fault."""
        for response in responses:
            self.assertNotEqual(response.status_code, 500, response.content)
        return [response.json().get("code", "") for response in responses]

    def open_sessions(self):
        return Session.objects.filter(amr="pwd otp").count()

    def an_hour_later(self):
        self.clock.advance(seconds=3630)

    def twenty_answers(self, **members):
        """Refusal codes of twenty sign-ins, each with its own challenge, that send the same code at once."""
        tokens = [self.challenge(self.person) for _ in range(20)]
        answers = self.codes(self.in_parallel(20, lambda n: self.answer(tokens[n], **members)))
        self.assertLessEqual(set(answers) - {""}, REFUSED)
        self.an_hour_later()
        return answers

    @pytest.mark.timeout(120 + 5 * RACE_ROUNDS)
    def test_the_same_code_twenty_times_is_accepted_once(self):
        for accepted in range(1, RACE_ROUNDS + 1):
            answers = self.twenty_answers(code=code_of(self.holder.secret))
            self.assertEqual(answers.count(""), 1, answers)
            self.assertEqual(self.open_sessions(), accepted)

    def test_the_same_recovery_code_twenty_times_is_accepted_once(self):
        codes = self.holder.recovery_codes[:RACE_ROUNDS]
        for used, code in enumerate(codes, start=1):
            answers = self.twenty_answers(recoveryCode=code)
            self.assertEqual(answers.count(""), 1, answers)
            self.assertEqual(RecoveryCode.objects.left().count(), 10 - used)
        self.assertAudited("recovery_code.used", times=len(codes))

    def test_thirty_guesses_at_one_challenge_evaluate_five(self):
        token = self.challenge(self.person)
        wrong = wrong_code(self.holder.secret)
        answers = self.codes(self.in_parallel(30, lambda n: self.answer(token, wrong)))
        self.assertEqual(answers.count("INVALID_2FA_CODE"), 5, answers)
        self.assertEqual(answers.count("CHALLENGE_INVALID"), 25, answers)
        evaluated = [entry for entry in self.refusals() if entry["reason"] == "code"]
        self.assertEqual(len(evaluated), 5)
        self.assertEqual(Challenge.objects.get().tries, 5)

    def test_thirty_guesses_over_thirty_challenges_evaluate_ten(self):
        tokens = [self.challenge(self.person) for _ in range(30)]
        wrong = wrong_code(self.holder.secret)
        answers = self.codes(self.in_parallel(30, lambda n: self.answer(tokens[n], wrong)))
        self.assertEqual(answers.count("INVALID_2FA_CODE"), 10, answers)
        self.assertEqual(answers.count("ACCOUNT_LOCKED"), 20, answers)

    def test_one_challenge_opens_one_session_even_with_several_good_codes(self):
        token = self.challenge(self.person)
        good = [code_of(self.holder.secret), *self.holder.recovery_codes[:4]]
        answers = self.codes(
            self.in_parallel(
                5,
                lambda n: self.answer(token, good[0]) if n == 0 else self.answer(token, recoveryCode=good[n]),
            )
        )
        self.assertEqual(answers.count(""), 1, answers)
        self.assertEqual(self.open_sessions(), 1)

    def test_parallel_disabling_happens_once(self):
        body = {"token": code_of(self.holder.secret)}
        responses = self.in_parallel(8, lambda n: self.post(DISABLE, body, token=self.holder.access))
        answers = self.codes(responses)
        self.assertEqual(answers.count(""), 1, answers)
        self.assertEqual(set(answers), {"", "2FA_DISABLE_ERROR"})
        self.assertAudited("second_factor.disabled", times=1)

    def test_recovery_codes_beside_a_disabling_never_wait_in_a_circle(self):
        tokens = [self.challenge(self.person) for _ in range(9)]
        disable = {"token": code_of(self.holder.secret)}
        codes = self.holder.recovery_codes
        responses = self.in_parallel(
            10,
            lambda n: (
                self.answer(tokens[n], recoveryCode=codes[n])
                if n < 9
                else self.post(DISABLE, disable, token=self.holder.access)
            ),
        )
        self.assertEqual(responses[9].status_code, 200, responses[9].content)
        self.assertLessEqual({response.status_code for response in responses}, {200, 401, 429})
        self.assertFalse(TotpDevice.objects.exists() or RecoveryCode.objects.exists())


class SetUpRaces(SecondFactorMixin, CommittingApiTestCase):
    """One device a person, confirmed once."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.person = asha()

    def test_parallel_set_ups_leave_one_device_that_one_answer_knows(self):
        token = self.log_in(self.person)["accessToken"]
        # The hashing queue of a worker takes three.
        responses = self.in_parallel(3, lambda n: self.post(SETUP, {"password": PASSWORD}, token=token))
        self.assertEqual([response.status_code for response in responses], [200] * 3)
        secrets = [response.json()["secret"] for response in responses]
        self.assertIn(TotpDevice.objects.get().secret, secrets)

    def test_parallel_confirmations_give_one_set_of_recovery_codes(self):
        token = self.log_in(self.person)["accessToken"]
        secret = self.set_up(token)
        codes = [code_of(secret, steps_away=n % 3 - 1) for n in range(9)]
        responses = self.in_parallel(9, lambda n: self.post(VERIFY, {"token": codes[n]}, token=token))
        statuses = [response.status_code for response in responses]
        self.assertEqual(statuses.count(200), 1, statuses)
        self.assertEqual(statuses.count(400), 8, statuses)
        self.assertEqual(RecoveryCode.objects.count(), 10)
        self.assertAudited("second_factor.enabled", times=1)

    def test_a_sign_in_that_saw_no_factor_opens_nothing_once_there_is_one(self):
        self.enrol(self.person)
        before = Session.objects.count()
        with self.assertRaises(InvalidCredentials):
            sign_in(user=self.person, amr="pwd")
        self.assertEqual(Session.objects.count(), before)

    def test_sign_ins_beside_a_confirmation_never_keep_a_session_without_the_factor(self):
        pair = self.log_in(self.person)
        secret = self.set_up(pair["accessToken"])
        code = code_of(secret)

        def act(number):
            if number == 0:
                return self.post(VERIFY, {"token": code}, token=pair["accessToken"])
            return self.post(LOGIN, {"email": self.person.email, "password": PASSWORD})

        self.in_parallel(4, act)
        alive = Session.objects.filter(revoked_at__isnull=True, amr="pwd")
        self.assertEqual(alive.count(), 1)  # the one that confirmed
