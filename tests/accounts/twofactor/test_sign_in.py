"""Signing in where a second factor is on, with the code beside the password."""

from django.test import override_settings

from accounts.sessions.models import Session
from tests.accounts.twofactor.authenticator import (
    LOGIN,
    STATE,
    SecondFactorMixin,
    code_of,
    wrong_code,
)
from tests.base import MadeOnceTestCase
from tests.factories import PASSWORD, asha, bilal


class SignInTestCase(SecondFactorMixin, MadeOnceTestCase):
    """Asha has a second factor and no session but the one that set it up; the clock stands."""

    def make(self):
        self.holder = self.enrol(asha())
        self.person = self.holder.person

    def sessions_opened(self):
        return Session.objects.exclude(amr="pwd").count()


class CodeBesideThePassword(SignInTestCase):
    """With the factor on, the password alone opens nothing (ASVS 2.3.1)."""

    def test_the_right_code_signs_in(self):
        body = self.sign_in(self.person, twoFactorCode=code_of(self.holder.secret)).json()
        self.assertEqual(self.me(body["accessToken"]).status_code, 200)
        self.assertTrue(body["user"]["isTwoFactorEnabled"])
        self.assertEqual(Session.objects.exclude(amr="pwd").get().amr, "pwd otp")

    def test_no_code_is_200_with_a_challenge_and_no_tokens(self):
        response = self.sign_in(self.person)
        self.assertEqual(response.status_code, 200)
        body = response.json()
        self.assertEqual(set(body), {"message", "requires2FA", "code", "challengeToken"})
        self.assertEqual((body["requires2FA"], body["code"]), (True, "2FA_REQUIRED"))
        self.assertEqual(self.sessions_opened(), 0)
        self.assertAudited("second_factor.challenged", target=self.person)

    def test_a_blank_or_null_code_is_no_code(self):
        for members in ({"twoFactorCode": ""}, {"recoveryCode": ""}, {"twoFactorCode": None, "challengeToken": ""}):
            self.assertEqual(self.sign_in(self.person, **members).json().get("code"), "2FA_REQUIRED")

    def test_a_wrong_code_is_401_and_marked(self):
        refused = self.sign_in(self.person, twoFactorCode=wrong_code(self.holder.secret))
        self.assertProblem(refused, 401, "INVALID_2FA_CODE")
        self.assertEqual(self.refusals(), [{"act": "sign_in", "reason": "code"}])
        self.assertAudited("second_factor.refused", target=self.person)
        self.assertEqual(self.sessions_opened(), 0)

    def test_a_wrong_password_is_refused_as_ever_and_the_code_stays_good(self):
        code = code_of(self.holder.secret)
        refused = self.post(LOGIN, {"email": self.person.email, "password": "wrong", "twoFactorCode": code})
        self.assertProblem(refused, 401, "INVALID_CREDENTIALS")
        self.assertEqual(self.sign_in(self.person, twoFactorCode=code).status_code, 200)

    def test_a_code_is_not_looked_at_where_the_factor_is_off(self):
        colleague = bilal(company=self.person.company)
        self.assertIn("accessToken", self.sign_in(colleague, twoFactorCode="000000").json())

    def test_a_mistyped_code_is_a_field_error(self):
        for name in ("twoFactorCode", "recoveryCode"):
            for value in (123456, ["123456"], "1" * 65):
                refused = self.sign_in(self.person, **{name: value})
                self.assertProblem(refused, 400, "VALIDATION_FAILED", field=name)


class CodesInTime(SignInTestCase):
    """The present step and one either way (D4); each once, and never one that is older than one spent."""

    def signs_in(self, steps_away):
        code = code_of(self.holder.secret, steps_away=steps_away)
        return self.sign_in(self.person, twoFactorCode=code).status_code == 200

    def move_on(self):
        self.clock.advance(seconds=300)

    def test_a_clock_that_is_thirty_seconds_off_is_fine(self):
        for steps_away in (-1, 0, 1):
            self.move_on()
            self.assertTrue(self.signs_in(steps_away), steps_away)

    def test_one_that_is_ninety_seconds_off_is_not(self):
        for steps_away in (-3, 3):
            self.move_on()
            self.assertFalse(self.signs_in(steps_away), steps_away)

    @override_settings(TOTP_STRICT=True)
    def test_strict_allows_no_drift(self):
        for steps_away, is_good in ((-1, False), (1, False), (0, True)):
            self.move_on()
            self.assertEqual(self.signs_in(steps_away), is_good, steps_away)

    def test_a_code_works_once_also_in_the_next_step(self):
        self.assertTrue(self.signs_in(0))
        self.assertFalse(self.signs_in(0))
        self.clock.advance(seconds=30)
        self.assertFalse(self.signs_in(-1))
        self.assertTrue(self.signs_in(0))

    def test_after_a_later_code_an_earlier_one_is_over(self):
        self.move_on()
        self.assertTrue(self.signs_in(1))
        self.assertFalse(self.signs_in(0))


class RecoveryCodes(SignInTestCase):
    """Each signs in once in place of a code."""

    def test_one_signs_in_once(self):
        code = self.holder.recovery_codes[0]
        self.assertEqual(self.sign_in(self.person, recoveryCode=code).status_code, 200)
        self.assertAudited("recovery_code.used", target=self.person)
        self.assertProblem(self.sign_in(self.person, recoveryCode=code), 401, "INVALID_2FA_CODE")
        self.assertEqual(self.refusals(), [{"act": "sign_in", "reason": "recovery_code"}])
        self.assertEqual(self.get(STATE, token=self.holder.access).json()["recoveryCodesLeft"], 9)

    def test_it_may_be_typed_in_any_case_and_grouping(self):
        code = self.holder.recovery_codes[1].lower().replace("-", " ")
        self.assertEqual(self.sign_in(self.person, recoveryCode=f" {code} ").status_code, 200)

    def test_another_persons_code_is_none(self):
        colleague = self.enrol(bilal(company=self.person.company))
        refused = self.sign_in(self.person, recoveryCode=colleague.recovery_codes[0])
        self.assertProblem(refused, 401, "INVALID_2FA_CODE")
        own = self.sign_in(colleague.person, recoveryCode=colleague.recovery_codes[0])
        self.assertEqual(own.status_code, 200)

    def test_beside_a_code_of_the_app_it_is_not_spent(self):
        code = self.holder.recovery_codes[2]
        self.sign_in(self.person, twoFactorCode=wrong_code(self.holder.secret), recoveryCode=code)
        self.assertEqual(self.sign_in(self.person, recoveryCode=code).status_code, 200)


class HourlyLimit(SignInTestCase):
    """Ten wrong codes in an hour lock the factor, in a count of its own beside the password's."""

    def guess(self, times):
        code = wrong_code(self.holder.secret)
        return [self.sign_in(self.person, twoFactorCode=code) for _ in range(times)]

    def test_the_tenth_is_401_and_the_eleventh_429_even_with_the_right_code(self):
        for response in self.guess(10):
            self.assertProblem(response, 401, "INVALID_2FA_CODE")
        right = code_of(self.holder.secret)
        self.assertProblem(self.sign_in(self.person, twoFactorCode=right), 429, "ACCOUNT_LOCKED")
        recovery = self.sign_in(self.person, recoveryCode=self.holder.recovery_codes[0])
        self.assertProblem(recovery, 429, "ACCOUNT_LOCKED")
        self.assertAudited("session.locked_out", target=self.person)

    def test_an_hour_later_it_is_open(self):
        self.guess(10)
        self.clock.advance(seconds=3599)
        locked = self.guess(1)[0]
        self.assertProblem(locked, 429, "ACCOUNT_LOCKED")
        named = (locked["RateLimit-Policy"], locked["RateLimit"], locked["Retry-After"])
        self.assertEqual(named, ('"codes";q=10;w=3600', '"codes";r=0;t=1', "1"))
        self.clock.advance(seconds=1)
        self.assertEqual(self.sign_in(self.person, twoFactorCode=code_of(self.holder.secret)).status_code, 200)

    def test_right_codes_do_not_count_and_forgive_nothing(self):
        for _ in range(9):
            self.clock.advance(seconds=30)
            self.assertEqual(self.sign_in(self.person, twoFactorCode=code_of(self.holder.secret)).status_code, 200)
        self.guess(9)
        self.clock.advance(seconds=30)
        self.assertEqual(self.sign_in(self.person, twoFactorCode=code_of(self.holder.secret)).status_code, 200)
        self.assertProblem(self.guess(1)[0], 401, "INVALID_2FA_CODE")
        self.assertProblem(self.guess(1)[0], 429, "ACCOUNT_LOCKED")

    def test_the_password_is_not_locked_by_it_nor_a_colleague(self):
        self.guess(11)
        self.challenge(self.person)
        colleague = self.enrol(bilal(company=self.person.company))
        response = self.sign_in(colleague.person, twoFactorCode=code_of(colleague.secret))
        self.assertEqual(response.status_code, 200)
        self.assertEqual(self.log_in(bilal(company=self.person.company), PASSWORD)["tokenType"], "Bearer")
