"""Turning the second factor on, through its URLs."""

import re
from urllib.parse import parse_qs, urlsplit

from django.core import mail
from django.db import connection, transaction

from accounts.identity.models import User
from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_everything
from accounts.twofactor.models import RecoveryCode, TotpDevice
from accounts.twofactor.services import confirm_setup
from security.audit.models import AuditEvent
from security.errors import SessionInvalid
from security.outbox import Mail, OutboxMessage, deliver_due
from tests.accounts.twofactor.authenticator import (
    SETUP,
    STATE,
    VERIFY,
    SecondFactorMixin,
    code_of,
    wrong_code,
)
from tests.base import ApiTestCase
from tests.factories import PASSWORD, a_person, asha, bilal

NEW = "Another-Harvest-58"


class SecondFactorTestCase(SecondFactorMixin, ApiTestCase):
    """The clock stands."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()


class StartSetup(SecondFactorTestCase):
    """The password buys a secret that does nothing yet."""

    def test_it_answers_with_the_secret_in_every_form(self):
        person = asha()
        response = self.post(SETUP, {"password": PASSWORD}, token=self.log_in(person)["accessToken"])
        body = response.json()
        self.assertEqual(set(body), {"secret", "manualEntryKey", "otpauthUrl", "qrCode"})
        self.assertEqual(parse_qs(urlsplit(body["otpauthUrl"]).query)["secret"], [body["secret"]])
        self.assertEqual(body["manualEntryKey"].replace(" ", ""), body["secret"])
        self.assertTrue(body["qrCode"].startswith("data:image/svg+xml"))
        self.assertAudited("second_factor.setup_started", actor=person, target=person)

    def test_it_is_inactive_until_a_code_confirms_it(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        self.set_up(token)
        self.assertIn("accessToken", self.log_in(person))
        self.assertFalse(self.get(STATE, token=token).json()["enabled"])
        self.assertFalse(self.me(token).json()["user"]["isTwoFactorEnabled"])

    def test_a_second_set_up_voids_the_first(self):
        token = self.log_in(asha())["accessToken"]
        first, second = self.set_up(token), self.set_up(token)
        self.assertNotEqual(first, second)
        self.assertProblem(self.post(VERIFY, {"token": code_of(first)}, token=token), 400, "2FA_VERIFICATION_ERROR")
        self.assertEqual(self.post(VERIFY, {"token": code_of(second)}, token=token).status_code, 200)
        self.assertEqual(TotpDevice.objects.count(), 1)

    def test_a_wrong_password_is_400_marked_and_counted_as_a_failed_sign_in(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        for _ in range(5 + 10):  # as a stranger, and then on the device that signed in
            self.assertProblem(self.post(SETUP, {"password": "wrong"}, token=token), 400, "INVALID_PASSWORD")
        self.assertProblem(self.post(SETUP, {"password": PASSWORD}, token=token), 429, "ACCOUNT_LOCKED")
        self.assertEqual(self.refusals(), [{"act": "setup", "reason": "password"}] * 15)
        self.assertAudited("second_factor.refused", times=15, actor=person, target=person)
        self.assertAudited("session.locked_out", target=person)
        self.assertFalse(TotpDevice.objects.exists())
        self.set_up(self.log_in(bilal(company=person.company))["accessToken"])

    def test_where_it_is_on_a_set_up_is_409_and_changes_nothing(self):
        holder = self.enrol(asha())
        refused = self.post(SETUP, {"password": PASSWORD}, token=holder.access)
        self.assertProblem(refused, 409, "2FA_ALREADY_ENABLED")
        self.assertEqual(self.refusals(), [{"act": "setup", "reason": "already_enabled"}])
        unhashed = self.post(SETUP, {"password": "wrong"}, token=holder.access)
        self.assertProblem(unhashed, 409, "2FA_ALREADY_ENABLED")
        self.assertEqual(self.sign_in(holder.person, twoFactorCode=code_of(holder.secret)).status_code, 200)

    def test_staff_may_have_one(self):
        holder = self.enrol(a_person(role=None))
        self.assertTrue(self.get(STATE, token=holder.access).json()["enabled"])

    def test_it_needs_a_sign_in_and_a_password(self):
        self.assertProblem(self.post(SETUP, {"password": PASSWORD}), 401, "NO_TOKEN")
        token = self.log_in(asha())["accessToken"]
        for body in ({}, {"password": ""}, {"password": 1}):
            self.assertProblem(self.post(SETUP, body, token=token), 400, "VALIDATION_FAILED", field="password")


class SecretAtRest(SecondFactorTestCase):
    """Whoever copies the database learns neither the secret nor a recovery code."""

    def test_the_row_is_sealed_and_opens_for_its_owner(self):
        holder = self.enrol(asha())
        with connection.cursor() as cursor:
            cursor.execute("SELECT secret FROM accounts_totpdevice")
            stored = bytes(cursor.fetchone()[0])
            cursor.execute("SELECT code_hash FROM accounts_recoverycode")
            hashes = b"".join(bytes(row[0]) for row in cursor.fetchall())
        self.assertNotIn(holder.secret.encode(), stored)
        self.assertEqual(TotpDevice.objects.get().secret, holder.secret)
        for code in holder.recovery_codes:
            self.assertNotIn(code.replace("-", "").encode(), hashes)

    def test_no_leaf_of_the_trail_holds_them(self):
        holder = self.enrol(asha())
        self.sign_in(holder.person, recoveryCode=holder.recovery_codes[0])
        leaves = b"".join(bytes(event.leaf) for event in AuditEvent.objects.all())
        for secret in (holder.secret, *holder.recovery_codes, PASSWORD, holder.person.email):
            self.assertNotIn(secret.encode(), leaves)


class ConfirmSetup(SecondFactorTestCase):
    """A code of the new secret turns it on, for good and once."""

    def test_it_answers_with_ten_recovery_codes(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        body = self.post(VERIFY, {"token": code_of(self.set_up(token))}, token=token).json()
        self.assertEqual(set(body), {"message", "enabled", "recoveryCodes"})
        self.assertIs(body["enabled"], True)
        self.assertEqual(len(set(body["recoveryCodes"])), 10)
        self.assertAudited("second_factor.enabled", actor=person, target=person)
        self.assertTrue(self.me(token).json()["user"]["isTwoFactorEnabled"])

    def test_the_state_tells_when_and_how_many_codes_are_left(self):
        holder = self.enrol(asha())
        self.assertEqual(
            self.get(STATE, token=holder.access).json(),
            {"enabled": True, "confirmedAt": "2026-11-24T06:00:00.000Z", "recoveryCodesLeft": 10},
        )
        other = self.log_in(bilal(company=holder.person.company))["accessToken"]
        self.assertEqual(
            self.get(STATE, token=other).json(),
            {"enabled": False, "confirmedAt": None, "recoveryCodesLeft": 0},
        )
        self.assertProblem(self.get(STATE), 401, "NO_TOKEN")

    def test_every_other_session_ends_and_this_one_goes_on(self):
        person = asha()
        other, colleague = self.log_in(person), self.log_in(bilal(company=person.company))
        holder = self.enrol(person)
        self.assertProblem(self.me(other["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertProblem(self.refresh(other["refreshToken"]), 401, "REFRESH_TOKEN_REVOKED")
        ended = Session.objects.get(revoked_at__isnull=False)
        self.assertEqual(ended.end_reason, EndReason.SECOND_FACTOR_CHANGED)
        self.assertEqual(self.me(holder.access).status_code, 200)
        self.assertEqual(self.refresh(holder.refresh).status_code, 200)
        self.assertEqual(self.me(colleague["accessToken"]).status_code, 200)

    def test_the_person_is_told_by_mail(self):
        self.enrol(asha())
        self.assertEqual(OutboxMessage.objects.get().kind, Mail.SECOND_FACTOR_ENABLED)

    def test_a_wrong_code_is_400_marked_and_leaves_it_off(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        secret = self.set_up(token)
        for code in (wrong_code(secret), "12345", "abcdef", "१२३४५६"):
            self.assertProblem(self.post(VERIFY, {"token": code}, token=token), 400, "2FA_VERIFICATION_ERROR")
        self.assertEqual(self.refusals(), [{"act": "verify", "reason": "code"}] * 4)
        self.assertFalse(self.get(STATE, token=token).json()["enabled"])
        self.assertFalse(RecoveryCode.objects.exists())

    def test_without_a_set_up_there_is_nothing_to_verify(self):
        token = self.log_in(asha())["accessToken"]
        refused = self.post(VERIFY, {"token": "123456"}, token=token)
        self.assertProblem(refused, 400, "2FA_VERIFICATION_ERROR")
        self.assertEqual(self.refusals(), [{"act": "verify", "reason": "not_pending"}])

    def test_nor_once_it_is_on(self):
        holder = self.enrol(asha())
        refused = self.post(VERIFY, {"token": code_of(holder.secret)}, token=holder.access)
        self.assertProblem(refused, 400, "2FA_VERIFICATION_ERROR")

    def test_the_code_that_confirmed_does_not_sign_in(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        code = code_of(self.set_up(token))
        self.post(VERIFY, {"token": code}, token=token)
        self.assertProblem(self.sign_in(person, twoFactorCode=code), 401, "INVALID_2FA_CODE")

    def test_a_missing_code_is_a_field_error(self):
        token = self.log_in(asha())["accessToken"]
        for body in ({}, {"token": ""}, {"token": 123456}, {"token": "1" * 65}):
            self.assertProblem(self.post(VERIFY, body, token=token), 400, "VALIDATION_FAILED", field="token")
        self.assertProblem(self.post(VERIFY, {"token": "123456"}), 401, "NO_TOKEN")


class DeadSetup(SecondFactorTestCase):
    """A set-up begun before a change that ends sign-ins is dead with them, whoever holds its secret."""

    def begin(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        return person, token, self.set_up(token)

    def assert_dead(self, token, secret):
        refused = self.post(VERIFY, {"token": code_of(secret)}, token=token)
        self.assertProblem(refused, 400, "2FA_VERIFICATION_ERROR")
        self.assertIs(self.get(STATE, token=token).json()["enabled"], False)

    def test_by_a_changed_password(self):
        _, token, secret = self.begin()
        members = {"currentPassword": PASSWORD, "newPassword": NEW}
        self.assertEqual(self.post("/api/auth/change-password", members, token=token).status_code, 200)
        self.assert_dead(token, secret)
        self.assertFalse(TotpDevice.objects.exists())

    def test_by_a_reset_password(self):
        person, _, secret = self.begin()
        self.post("/api/auth/password-reset", {"email": person.email})
        deliver_due()
        mailed = re.search(r"token=([\w-]+)", mail.outbox[-1].body)[1]
        self.post("/api/auth/password-reset/confirm", {"token": mailed, "newPassword": NEW})
        self.assert_dead(self.log_in(person, NEW)["accessToken"], secret)

    def test_by_an_end_of_all_sessions_also_for_who_was_let_in_a_moment_before(self):
        person, _, secret = self.begin()
        session = Session.objects.select_related("user__subject").get()
        with transaction.atomic():
            end_everything(user=person, reason=EndReason.LOGOUT_ALL)
        with self.assertRaises(SessionInvalid):
            confirm_setup(session=session, token=code_of(secret))
        self.assertFalse(TotpDevice.objects.filter(confirmed=True).exists())
        self.assertEqual(self.audited("access_token.refused")[0].parsed_leaf().data["code"], "SESSION_INVALID")

    def test_by_a_risen_token_version_alone(self):
        person, _, secret = self.begin()
        session = Session.objects.select_related("user__subject").get()
        User.objects.filter(pk=person.pk).update(token_version=7)
        with self.assertRaises(SessionInvalid):
            confirm_setup(session=session, token=code_of(secret))

    def test_another_persons_change_leaves_it_alone(self):
        person, token, secret = self.begin()
        colleague = self.log_in(bilal(company=person.company))["accessToken"]
        self.post("/api/auth/change-password", {"currentPassword": PASSWORD, "newPassword": NEW}, token=colleague)
        self.assertEqual(self.post(VERIFY, {"token": code_of(secret)}, token=token).status_code, 200)
