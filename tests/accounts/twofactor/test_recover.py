"""`account_recover`: help for who lost device and codes."""

from io import StringIO

from django.core.management import CommandError, call_command

from accounts.management.commands.account_recover import operator_name
from accounts.sessions.models import EndReason, Session
from accounts.twofactor.models import RecoveryCode, TotpDevice
from security.audit.models import AuditEvent
from security.outbox import Mail, OutboxMessage
from tests.accounts.twofactor.authenticator import SecondFactorMixin, code_of
from tests.base import MadeOnceTestCase
from tests.factories import asha, bilal


class AccountRecover(SecondFactorMixin, MadeOnceTestCase):
    """The factor, its codes and every session go; the password stays; the trail keeps who did it."""

    def make(self):
        self.holder = self.enrol(asha())
        self.person = self.holder.person

    def recover(self, email=None, *options):
        out = StringIO()
        with self.on_commit():
            call_command("account_recover", "--email", email or self.person.email, *options, stdout=out)
        return out.getvalue()

    def test_the_password_alone_signs_in_again(self):
        self.recover()
        self.assertFalse(TotpDevice.objects.exists() or RecoveryCode.objects.exists())
        self.assertProblem(self.me(self.holder.access), 401, "TOKEN_REVOKED")
        self.assertEqual(Session.objects.get().end_reason, EndReason.RECOVERED)
        self.assertIn("accessToken", self.log_in(self.person))

    def test_a_challenge_from_before_opens_nothing(self):
        token = self.challenge(self.person)
        self.recover()
        self.assertProblem(self.answer(token, code_of(self.holder.secret)), 401, "CHALLENGE_INVALID")

    def test_it_prints_one_line(self):
        line = self.recover()
        self.assertEqual(line, f"{self.person.email}: second factor removed, sessions ended: 1\n")

    def test_it_is_one_event_that_names_the_operator_and_no_actor(self):
        self.recover()
        self.assertAudited("account.recovered", target=self.person)
        (event,) = self.audited("account.recovered")
        self.assertIsNone(event.actor)
        self.assertEqual(
            event.parsed_leaf().data,
            {"operator": operator_name(), "had_second_factor": True, "sessions_ended": 1},
        )

    def test_the_person_is_told_by_mail(self):
        self.recover()
        kinds = OutboxMessage.objects.values_list("kind", flat=True)
        self.assertIn(Mail.SECOND_FACTOR_DISABLED, kinds)

    def test_the_address_is_read_as_at_sign_in(self):
        self.recover(f" {self.person.email.upper()} ")
        self.assertFalse(TotpDevice.objects.exists())

    def test_it_may_be_run_twice(self):
        self.recover()
        self.assertIn("no second factor was on, sessions ended: 0", self.recover())

    def test_a_dry_run_changes_and_records_nothing(self):
        events = AuditEvent.objects.count()
        line = self.recover(None, "--dry-run")
        self.assertIn("dry run, nothing was changed", line)
        self.assertIn("the second factor would be removed, sessions that would end: 1", line)
        self.assertTrue(TotpDevice.objects.exists())
        self.assertEqual(self.me(self.holder.access).status_code, 200)
        self.assertEqual(AuditEvent.objects.count(), events)

    def test_a_colleague_keeps_theirs(self):
        colleague = self.enrol(bilal(company=self.person.company))
        self.recover()
        self.assertEqual(self.me(colleague.access).status_code, 200)
        self.assertEqual(TotpDevice.objects.get().user_id, colleague.person.pk)

    def test_an_unknown_address_fails(self):
        with self.assertRaises(CommandError) as refused:
            self.recover("nobody@example.in")
        self.assertIn("nobody has the address nobody@example.in", str(refused.exception))
        with self.assertRaisesMessage(CommandError, str(refused.exception)):  # in the same words
            call_command("account_unlock", "nobody@example.in")
        self.assertAudited("account.recovered", times=0)
