"""The two-step sign-in: a challenge token from the password, then the code."""

from datetime import timedelta

from django.utils import timezone

from accounts.identity.models import User
from accounts.sessions.models import Session
from accounts.sessions.tokens import AccessToken
from accounts.twofactor.challenge import ChallengeToken, purge_challenges
from accounts.twofactor.models import Challenge
from tests.accounts.twofactor.authenticator import DISABLE, LOGIN, SETUP, code_of, wrong_code
from tests.accounts.twofactor.test_sign_in import SignInTestCase
from tests.factories import PASSWORD, bilal


class ChallengeAnswer(SignInTestCase):
    """The token and a code finish the sign-in, once, within five minutes."""

    def setUp(self):
        super().setUp()
        self.token = self.challenge(self.person)

    def right(self):
        return code_of(self.holder.secret)

    def assert_over(self, response):
        self.assertProblem(response, 401, "CHALLENGE_INVALID")
        self.assertEqual(self.sessions_opened(), 0)

    def test_the_right_code_signs_in_without_the_password(self):
        body = self.answer(self.token, self.right()).json()
        self.assertEqual(
            set(body), {"message", "user", "company", "accessToken", "refreshToken", "tokenType", "expiresIn"}
        )
        self.assertEqual(self.me(body["accessToken"]).json()["user"]["id"], str(self.person.pk))
        self.assertEqual(Session.objects.exclude(amr="pwd").get().amr, "pwd otp")

    def test_blank_members_beside_it_mean_absent(self):
        response = self.answer(self.token, self.right(), email="", password="", recoveryCode="")
        self.assertEqual(response.status_code, 200)

    def test_a_recovery_code_will_do(self):
        response = self.answer(self.token, recoveryCode=self.holder.recovery_codes[0])
        self.assertEqual(response.status_code, 200, response.content)

    def test_without_a_code_it_is_a_field_error_and_costs_no_try(self):
        self.assertProblem(self.answer(self.token), 400, "VALIDATION_FAILED", field="twoFactorCode")
        self.assertEqual(Challenge.objects.get().tries, 0)

    def test_it_works_once(self):
        self.answer(self.token, self.right())
        self.clock.advance(seconds=30)
        self.assertProblem(self.answer(self.token, self.right()), 401, "CHALLENGE_INVALID")
        self.assertEqual(self.sessions_opened(), 1)
        self.assertEqual(self.refusals(), [{"act": "sign_in", "reason": "challenge"}])
        self.assertAudited("second_factor.refused", target=self.person)

    def test_five_wrong_codes_end_it(self):
        for _ in range(5):
            wrong = self.answer(self.token, wrong_code(self.holder.secret))
            self.assertProblem(wrong, 401, "INVALID_2FA_CODE")
        self.assert_over(self.answer(self.token, self.right()))
        self.assertEqual(self.answer(self.challenge(self.person), self.right()).status_code, 200)

    def test_at_five_minutes_it_is_over(self):
        self.clock.advance(seconds=299)
        self.assertProblem(self.answer(self.token, wrong_code(self.holder.secret)), 401, "INVALID_2FA_CODE")
        self.clock.advance(seconds=1)
        self.assert_over(self.answer(self.token, self.right()))
        self.clock.advance(seconds=60)
        self.assert_over(self.answer(self.token, self.right()))

    def test_it_is_bound_to_the_password_step(self):
        self.person.set_password("Another-Harvest-58")
        self.person.save()
        self.assert_over(self.answer(self.token, self.right()))

    def test_it_ends_with_the_persons_sessions(self):
        self.post("/api/auth/logout", {"allDevices": True}, token=self.holder.access)
        self.assert_over(self.answer(self.token, self.right()))

    def test_a_deactivated_person_gets_nowhere(self):
        User.objects.filter(pk=self.person.pk).update(is_active=False)
        self.assert_over(self.answer(self.token, self.right()))

    def test_once_the_factor_is_off_it_opens_nothing(self):
        self.post(DISABLE, {"token": self.right()}, token=self.holder.access)
        self.clock.advance(seconds=30)
        self.assert_over(self.answer(self.token, self.right()))

    def test_another_persons_code_does_not_answer_it(self):
        colleague = self.enrol(bilal(company=self.person.company))
        self.assertProblem(self.answer(self.token, code_of(colleague.secret)), 401, "INVALID_2FA_CODE")
        other = self.challenge(colleague.person)
        self.assertEqual(self.answer(other, code_of(colleague.secret)).status_code, 200)


class ChallengeTokens(SignInTestCase):
    """A challenge token is no other token, and no other token is one (ASVS 9.2.2)."""

    def test_it_has_no_rights_at_the_api(self):
        token = self.challenge(self.person)
        self.assertProblem(self.me(token), 401, "TOKEN_INVALID")
        self.assertProblem(self.post(SETUP, {"password": PASSWORD}, token=token), 401, "TOKEN_INVALID")
        self.assertProblem(self.refresh(token), 401, "REFRESH_TOKEN_INVALID")

    def test_no_other_token_answers(self):
        for token in (self.holder.access, self.holder.refresh, "junk", "a.b.c", "é" * 10):
            refused = self.answer(token, code_of(self.holder.secret))
            self.assertProblem(refused, 401, "CHALLENGE_INVALID")
        self.assertEqual(self.refusals(), [{"act": "sign_in", "reason": "challenge"}])  # one a client and minute

    def test_a_signed_token_for_no_challenge_is_refused(self):
        now = timezone.now()
        never = Challenge(user=self.person, created_at=now, expires_at=now + timedelta(minutes=5))
        token = str(ChallengeToken.for_challenge(never))
        self.assertProblem(self.answer(token, code_of(self.holder.secret)), 401, "CHALLENGE_INVALID")

    def test_one_that_names_another_person_is_refused(self):
        self.challenge(self.person)
        challenge = Challenge.objects.get()
        challenge.user = bilal(company=self.person.company)
        token = str(ChallengeToken.for_challenge(challenge))
        self.assertProblem(self.answer(token, code_of(self.holder.secret)), 401, "CHALLENGE_INVALID")

    def test_it_names_type_and_audience_and_nothing_of_a_session(self):
        claims = ChallengeToken(self.challenge(self.person)).payload
        self.assertEqual(set(claims), {"iss", "aud", "sub", "jti", "iat", "nbf", "exp"})
        self.assertEqual((claims["aud"], claims["exp"] - claims["iat"]), ("koshflow-mfa", 300))

    def test_the_tokens_of_a_session_still_must_name_one(self):
        claims = AccessToken(self.holder.access).payload
        nameless = {name: value for name, value in claims.items() if name != "sid"}
        self.assertEqual(self.me(AccessToken.backend.encode(claims)).status_code, 200)
        self.assertProblem(self.me(AccessToken.backend.encode(nameless)), 401, "TOKEN_INVALID")

    def test_too_long_or_mistyped_ones_are_field_errors(self):
        for token in ("x" * 2049, 5, ["x"], {"a": 1}):
            refused = self.post(LOGIN, {"challengeToken": token, "twoFactorCode": "123456"})
            self.assertProblem(refused, 400, "VALIDATION_FAILED", field="challengeToken")


class Purge(SignInTestCase):
    """Challenges that are over are deleted; one that waits is not."""

    def test_it_deletes_the_expired_only_and_may_run_twice(self):
        self.challenge(self.person)
        self.clock.advance(seconds=200)
        waiting = self.challenge(self.person)
        self.clock.advance(seconds=101)
        self.assertEqual((purge_challenges(), purge_challenges()), (1, 0))
        self.assertEqual(self.answer(waiting, code_of(self.holder.secret)).status_code, 200)
