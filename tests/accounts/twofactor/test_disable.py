"""Turning the second factor off and renewing recovery codes: both need a code and a fresh sign-in."""

from accounts.sessions.models import EndReason, Session
from accounts.twofactor.models import RecoveryCode, TotpDevice
from security.outbox import Mail, OutboxMessage
from tests.accounts.twofactor.authenticator import (
    DISABLE,
    RECOVERY_CODES,
    STATE,
    SecondFactorMixin,
    code_of,
    wrong_code,
)
from tests.base import MadeOnceTestCase
from tests.factories import PASSWORD, asha, bilal

TEN_MINUTES = 600


class DisableTestCase(SecondFactorMixin, MadeOnceTestCase):
    """Asha has a second factor; the clock stands."""

    def make(self):
        self.holder = self.enrol(asha())

    def act(self, path, token=None, **members):
        code = code_of(self.holder.secret) if token is None else token
        return self.post(path, {"token": code, **members}, token=self.holder.access)

    def assert_still_on(self):
        self.assertIs(self.get(STATE, token=self.holder.access).json()["enabled"], True)


class Disable(DisableTestCase):
    """A code and a sign-in of the last ten minutes, or the password, turn it off."""

    def test_it_is_off_and_everything_of_it_is_gone(self):
        response = self.act(DISABLE)
        self.assertEqual((response.status_code, response.json()["enabled"]), (200, False), response.content)
        self.assertFalse(TotpDevice.objects.exists() or RecoveryCode.objects.exists())
        self.assertIn("accessToken", self.log_in(self.holder.person))
        self.assertAudited("second_factor.disabled", actor=self.holder.person, target=self.holder.person)

    def test_every_other_session_ends_and_this_one_goes_on(self):
        other = self.sign_in(self.holder.person, twoFactorCode=code_of(self.holder.secret)).json()
        colleague = self.log_in(bilal(company=self.holder.person.company))
        self.clock.advance(seconds=30)
        self.act(DISABLE)
        self.assertProblem(self.me(other["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertEqual(Session.objects.get(revoked_at__isnull=False).end_reason, EndReason.SECOND_FACTOR_CHANGED)
        self.assertEqual(self.me(self.holder.access).status_code, 200)
        self.assertEqual(self.me(colleague["accessToken"]).status_code, 200)

    def test_the_person_is_told_by_mail(self):
        self.act(DISABLE)
        kinds = list(OutboxMessage.objects.order_by("created_at").values_list("kind", flat=True))
        self.assertEqual(kinds[-1], Mail.SECOND_FACTOR_DISABLED)

    def test_a_recovery_code_will_do_for_who_lost_the_phone(self):
        self.assertEqual(self.act(DISABLE, self.holder.recovery_codes[3]).status_code, 200)
        self.assertAudited("recovery_code.used", actor=self.holder.person)

    def test_a_wrong_code_is_400_marked_and_changes_nothing(self):
        for code in (wrong_code(self.holder.secret), "ABCDEF-GHIJKL-MNOPQR-STUVW", "junk"):
            self.assertProblem(self.act(DISABLE, code), 400, "2FA_DISABLE_ERROR")
        self.assertAudited("second_factor.disable_refused", times=3, actor=self.holder.person)
        self.assert_still_on()

    def test_a_wrong_password_is_400_even_beside_a_good_code(self):
        self.assertProblem(self.act(DISABLE, password="wrong"), 400, "INVALID_PASSWORD")
        refused = self.refusals("second_factor.disable_refused")
        self.assertEqual(refused, [{"act": "disable", "reason": "password"}])
        self.assert_still_on()
        self.assertEqual(self.act(DISABLE).status_code, 200)  # the code was not spent on it

    def test_where_none_is_on_there_is_nothing_to_disable(self):
        token = self.log_in(bilal(company=self.holder.person.company))["accessToken"]
        self.assertProblem(self.post(DISABLE, {"token": "123456"}, token=token), 400, "2FA_DISABLE_ERROR")
        refused = self.refusals("second_factor.disable_refused")
        self.assertEqual(refused, [{"act": "disable", "reason": "not_enabled"}])
        self.assert_still_on()

    def test_ten_wrong_codes_lock_the_eleventh_for_an_hour(self):
        for _ in range(10):
            self.assertProblem(self.act(DISABLE, wrong_code(self.holder.secret)), 400, "2FA_DISABLE_ERROR")
        locked = self.act(DISABLE, password=PASSWORD)
        self.assertProblem(locked, 429, "ACCOUNT_LOCKED")
        self.assertEqual(locked.headers["Retry-After"], "3600")
        self.assertAudited("session.locked_out", target=self.holder.person)
        colleague = self.enrol(bilal(company=self.holder.person.company))
        body = {"token": code_of(colleague.secret)}
        self.assertEqual(self.post(DISABLE, body, token=colleague.access).status_code, 200)

    def test_it_needs_a_sign_in_and_a_code(self):
        self.assertProblem(self.post(DISABLE, {"token": "123456"}), 401, "NO_TOKEN")
        self.assertProblem(self.act(DISABLE, ""), 400, "VALIDATION_FAILED", field="token")


class FreshSignIn(DisableTestCase):
    """Older than ten minutes, a sign-in alone is not enough (ASVS 7.5.1)."""

    def grow_stale(self, seconds=TEN_MINUTES + 1):
        self.clock.advance(seconds=seconds - 30)  # enrolling moved it by 30

    def test_at_ten_minutes_it_still_is(self):
        self.grow_stale(TEN_MINUTES)
        self.assertEqual(self.act(DISABLE).status_code, 200)

    def test_later_it_is_403_marked_and_the_code_stays_good(self):
        self.grow_stale()
        for path in (DISABLE, RECOVERY_CODES):
            self.assertProblem(self.act(path), 403, "REAUTHENTICATION_REQUIRED")
        stale = "stale_sign_in"
        self.assertEqual(self.refusals("second_factor.disable_refused"), [{"act": "disable", "reason": stale}])
        self.assertEqual(self.refusals(), [{"act": "recovery_codes", "reason": stale}])
        self.assert_still_on()
        self.assertEqual(self.act(DISABLE, password=PASSWORD).status_code, 200)

    def test_a_blank_password_is_none(self):
        self.grow_stale()
        self.assertProblem(self.act(DISABLE, password=""), 403, "REAUTHENTICATION_REQUIRED")

    def test_a_refresh_makes_nothing_fresh(self):
        self.grow_stale()
        self.holder.access = self.refresh(self.holder.refresh).json()["accessToken"]
        self.assertProblem(self.act(DISABLE), 403, "REAUTHENTICATION_REQUIRED")


class RenewRecoveryCodes(DisableTestCase):
    """Ten new ones; the old ones are void, sessions stay."""

    def test_the_new_ones_sign_in_and_the_old_ones_do_not(self):
        response = self.act(RECOVERY_CODES)
        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(set(response.json()), {"recoveryCodes"})
        new = response.json()["recoveryCodes"]
        self.assertEqual(len(set(new) - set(self.holder.recovery_codes)), 10)
        old = self.sign_in(self.holder.person, recoveryCode=self.holder.recovery_codes[0])
        self.assertProblem(old, 401, "INVALID_2FA_CODE")
        self.assertEqual(self.sign_in(self.holder.person, recoveryCode=new[0]).status_code, 200)
        self.assertAudited("recovery_codes.regenerated", actor=self.holder.person)

    def test_sessions_go_on(self):
        other = self.sign_in(self.holder.person, twoFactorCode=code_of(self.holder.secret)).json()
        self.clock.advance(seconds=30)
        self.act(RECOVERY_CODES)
        self.assertEqual(self.me(other["accessToken"]).status_code, 200)

    def test_a_wrong_code_or_password_is_400_and_voids_nothing(self):
        self.assertProblem(self.act(RECOVERY_CODES, "000"), 400, "2FA_VERIFICATION_ERROR")
        self.assertProblem(self.act(RECOVERY_CODES, password="wrong"), 400, "INVALID_PASSWORD")
        reasons = [entry["reason"] for entry in self.refusals()]
        self.assertEqual(reasons, ["recovery_code", "password"])
        kept = self.sign_in(self.holder.person, recoveryCode=self.holder.recovery_codes[0])
        self.assertEqual(kept.status_code, 200)

    def test_where_none_is_on_there_are_none(self):
        token = self.log_in(bilal(company=self.holder.person.company))["accessToken"]
        refused = self.post(RECOVERY_CODES, {"token": "123456"}, token=token)
        self.assertProblem(refused, 400, "2FA_VERIFICATION_ERROR")
        self.assertProblem(self.post(RECOVERY_CODES, {}), 401, "NO_TOKEN")
