"""`subject_erase`: who is erased is nobody any more; whoever stands beside them notices nothing."""

from io import StringIO

from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.identity.models import Company, User
from accounts.login.services import sign_in
from accounts.passwords.models import PasswordReset
from accounts.passwords.reset import queue_password_reset
from accounts.sessions.models import Session
from accounts.twofactor.models import Challenge, RecoveryCode, TotpDevice
from security.audit import AuditEvent, AuditPii, disclosed_values
from security.audit.leaf import leaf_hash
from security.crypto import KeyDestroyed, SubjectKey
from security.crypto.fields import Sealed
from security.lockout import CredentialCounter
from security.operator_account import operator_name
from security.outbox import OutboxMessage
from security.rbac import Role
from tests.base import ApiTestCase
from tests.commands import output_of
from tests.factories import PASSWORD, a_person, asha, bilal, chitra

TICKET = "TICKET-4711"


class Erasing(ApiTestCase):
    def erase(self, who: object, *arguments: str, confirm: bool = True) -> str:
        wanted = ["--confirm"] if confirm else []
        # Within a test's transaction SQLite's file cannot be overwritten, which is said, and is another test's matter.
        return output_of("subject_erase", str(who), "--reason", TICKET, *wanted, *arguments, stderr=StringIO())

    def refused(self, *arguments: str, reason: str = TICKET) -> str:
        with self.assertRaises(CommandError) as error:
            call_command("subject_erase", *arguments, "--reason", reason, "--confirm")
        self.assertNotIn("\n", str(error.exception))
        return str(error.exception)


class ThePerson(Erasing):
    """Row, sessions, factors, resets, mails, counters and values go; the pseudonym stays."""

    def setUp(self):
        super().setUp()
        self.admin = asha(email="asha@lotus.example.in")
        self.person = bilal(company=self.admin.company, email="bilal@lotus.example.in", phone="+919876543210")
        self.tokens = self.log_in(self.person)
        self.fill()

    def fill(self) -> None:
        """One row of everything that can hang on a person."""
        now = timezone.now()
        for _ in range(2):
            self.post("/api/auth/login", {"email": self.person.email, "password": "wrong"})
        self.post("/api/auth/password-reset", {"email": " Bilal@lotus.example.in "})
        TotpDevice.objects.create(
            user=self.person, secret="JBSWY3DPEHPK3PXP", confirmed=True, confirmed_at=now, created_at=now
        )
        RecoveryCode.objects.create(user=self.person, code_hash=b"c" * 32)
        Challenge.objects.create(
            user=self.person, password_digest=b"d" * 32, token_version=1, created_at=now, expires_at=now
        )
        PasswordReset.objects.create(user=self.person, token_hash=b"t" * 32, created_at=now, expires_at=now)

    def kept(self) -> dict[str, int]:
        person = self.person
        return {
            "factor": TotpDevice.objects.filter(user=person).count(),
            "codes": RecoveryCode.objects.filter(user=person).count(),
            "challenges": Challenge.objects.filter(user=person).count(),
            "resets": PasswordReset.objects.filter(user=person).count(),
            "values": AuditPii.objects.filter(subject=person.subject_id).count(),
            "messages": OutboxMessage.objects.count(),
            "addresses": AuditEvent.objects.filter(actor=person.subject_id, address_index__isnull=False).count(),
            "session addresses": Session.objects.filter(user=person).exclude(address=None).count(),
            "counters": CredentialCounter.objects.exclude(account="").count(),
        }

    def test_nothing_that_hangs_on_them_is_left(self):
        self.assertEqual([name for name, count in self.kept().items() if not count], [])
        self.erase(self.person.email)
        self.assertEqual({name: count for name, count in self.kept().items() if count}, {})

    def test_the_row_names_nobody_and_admits_nobody(self):
        self.erase(self.person.email)
        row = User.objects.get(pk=self.person.pk)
        self.assertEqual((row.name, row.phone, row.is_active, row.last_login), ("Erased person", None, False, None))
        self.assertEqual(row.email, f"erased-{row.subject_id.hex}@erased.invalid")
        self.assertFalse(row.has_usable_password())
        self.assertEqual((row.company_id, row.role), (self.admin.company_id, Role.VIEWER))

    def test_their_key_is_gone(self):
        self.erase(self.person.email)
        with self.assertRaises(KeyDestroyed):
            SubjectKey.objects.get(pk=self.person.subject_id).data_key()

    def test_every_token_and_password_of_theirs_is_refused(self):
        self.erase(self.person.email)
        self.assertProblem(self.me(self.tokens["accessToken"]), 401, "USER_INVALID")
        self.assertEqual(self.refresh(self.tokens["refreshToken"]).status_code, 401)
        for email in ("bilal@lotus.example.in", User.objects.get(pk=self.person.pk).email):
            answer = self.post("/api/auth/login", {"email": email, "password": PASSWORD})
            self.assertProblem(answer, 401, "INVALID_CREDENTIALS")

    def test_the_address_is_free_for_another(self):
        self.erase(self.person.email)
        again = bilal(company=self.admin.company, email="bilal@lotus.example.in")
        self.assertNotEqual(again.subject_id, self.person.subject_id)
        self.log_in(again)

    def test_the_log_keeps_its_events_which_verify_and_disclose_nothing_of_them(self):
        before = AuditEvent.objects.count()
        self.erase(self.person.email)
        self.assertEqual(AuditEvent.objects.count(), before + 1)
        for event in AuditEvent.objects.all():
            self.assertEqual(leaf_hash(bytes(event.leaf)), bytes(event.leaf_hash))
            self.assertEqual(event.parsed_leaf().encode(), bytes(event.leaf))
            if self.person.subject_id in (event.actor, event.target):
                self.assertEqual(disclosed_values(event=event), {})

    def test_one_event_tells_of_it_by_pseudonym(self):
        self.erase(self.person.email)
        (event,) = self.audited("subject.erased")
        self.assertEqual((event.target, event.company), (self.person.subject_id, self.admin.company.subject_id))
        data = event.parsed_leaf().data
        self.assertEqual((data["kind"], data["reason"], data["operator"]), ("person", TICKET, operator_name()))
        self.assertEqual(data["rows"]["sessions"], 1)

    def test_a_value_about_them_in_a_colleagues_event_goes_and_the_colleagues_own_stays(self):
        from accounts.staff.unlocking import lift_lockout

        staff = a_person(role=None)
        session = sign_in(user=staff, amr="pwd otp").session
        with self.captureOnCommitCallbacks():
            lift_lockout(user=self.person, by=session, address="203.0.113.7")
        event = self.audited("account.unlocked")[0]
        self.assertIn("unlocked_address", disclosed_values(event=event))
        self.erase(self.person.email)
        self.assertNotIn("unlocked_address", disclosed_values(event=event))

    def test_neighbours_keep_everything(self):
        other = chitra()
        theirs = self.log_in(self.admin), self.log_in(other)
        with self.captureOnCommitCallbacks():
            queue_password_reset(email=other.email)
        self.erase(self.person.email)
        for person, tokens in zip((self.admin, other), theirs, strict=True):
            self.assertEqual(self.me(tokens["accessToken"]).status_code, 200)
            self.assertTrue(AuditPii.objects.filter(subject=person.subject_id).exists())
        self.assertEqual(OutboxMessage.objects.count(), 1)

    def test_a_second_run_finds_nothing_left_and_says_so(self):
        said = self.erase(self.person.email)
        self.assertIn(f"person {self.person.subject_id} erased, with sessions: 1", said)
        self.assertIn("nothing is left to erase", self.erase(self.person.subject_id))
        self.assertAudited("subject.erased")

    def test_a_second_run_takes_away_what_came_back(self):
        self.erase(self.person.email)
        row = User.objects.filter(pk=self.person.pk)
        row.update(name="Bilal Khan", phone=Sealed(b"of before"), password=self.person.password, is_active=True)
        device = TotpDevice(user=self.person, secret="JBSWY3DPEHPK3PXP", created_at=timezone.now())
        device.save(force_insert=True)
        said = self.erase(self.person.subject_id, confirm=False)
        self.assertIn("its key is gone; goes, for it came back since: second factors: 1, rows that told of", said)
        self.assertEqual(row.get().name, "Bilal Khan")
        self.assertIn("second factors: 1, rows that told of them: 1", self.erase(self.person.subject_id))
        self.assertEqual((row.get().name, row.get().phone, row.get().is_active), ("Erased person", None, False))
        self.assertFalse(row.get().has_usable_password() or TotpDevice.objects.filter(user=self.person).exists())
        data = self.audited("subject.erased")[1].parsed_leaf().data
        self.assertEqual((data["is_again"], data["rows"]["second_factors"]), (True, 1))
        self.assertIn("nothing is left to erase", self.erase(self.person.subject_id))
        self.assertAudited("subject.erased", times=2)

    def test_first_it_only_says_what_would_go(self):
        said = self.erase(self.person.email, confirm=False)
        self.assertIn(f"person {self.person.subject_id} would be erased, with sessions: 1, second factors: 1", said)
        self.assertIn("dry run, nothing was changed", said)
        self.assertEqual([name for name, count in self.kept().items() if not count], [])
        self.assertEqual(self.me(self.tokens["accessToken"]).status_code, 200)
        self.assertFalse(self.audited("subject.erased"))


class Refusals(Erasing):
    """Nobody is erased by mistake, and no company is left without an administrator."""

    def test_who_is_unknown(self):
        self.assertIn("nobody has the address", self.refused("nobody@lotus.example.in"))
        self.assertIn("of no person and no company", self.refused("00000000-0000-4000-8000-000000000000"))

    def test_a_reason_that_names_a_person(self):
        person = asha()
        for reason in ("asked by asha@lotus.example.in", "called from +919876543210", " ", "x" * 101, "a\nb"):
            with self.subTest(reason):
                self.assertIn("reason", self.refused(person.email, reason=reason))
        self.assertTrue(User.objects.get(pk=person.pk).is_active)

    def test_the_last_administrator_of_others(self):
        admin = asha()
        bilal(company=admin.company)
        self.assertIn("last active administrator", self.refused(admin.email))
        self.assertTrue(User.objects.get(pk=admin.pk).is_active)
        self.assertFalse(self.audited("subject.erased"))

    def test_an_administrator_beside_another_may_go(self):
        admin = asha()
        bilal(company=admin.company, role=Role.ADMIN)
        self.erase(admin.email)
        self.assertFalse(User.objects.get(pk=admin.pk).is_active)

    def test_one_who_works_alone_may_go_and_the_company_stays(self):
        admin = asha()
        self.erase(admin.email)
        self.assertIsNotNone(Company.objects.get(pk=admin.company_id).gstin)

    def test_a_company_goes_only_when_it_is_said(self):
        admin = asha()
        self.assertIn("--company", self.refused(str(admin.company.subject_id)))

    def test_staff_have_no_company(self):
        staff = a_person(role=None)
        self.assertIn("leave --company out", self.refused(staff.email, "--company"))
        self.erase(staff.email)


class TheCompany(Erasing):
    """With --company everything goes that belongs to it, everybody in it included."""

    def test_all_of_it(self):
        admin = asha()
        colleague = bilal(company=admin.company)
        other = chitra()
        gstin = admin.company.gstin
        self.erase(admin.email, "--company")
        company = Company.objects.get(pk=admin.company_id)
        self.assertEqual(
            (company.name, company.phone, company.gstin, company.pan), ("Erased company", None, None, None)
        )
        self.assertEqual(company.email, f"erased-{company.subject_id.hex}@erased.invalid")
        self.assertFalse(Company.objects.with_gstin(gstin).exists())
        self.assertEqual(User.objects.filter(company=company, is_active=True).count(), 0)
        erased = {event.target for event in self.audited("subject.erased")}
        self.assertEqual(erased, {company.subject_id, admin.subject_id, colleague.subject_id})
        self.assertTrue(User.objects.get(pk=other.pk).is_active)

    def test_a_second_run_blanks_the_company_again(self):
        admin = asha()
        self.erase(admin.email, "--company")
        Company.objects.filter(pk=admin.company_id).update(name="Lotus Traders")
        said = self.erase(admin.company.subject_id, "--company")
        self.assertIn("its key is gone; goes, for it came back since: rows that told of them: 1", said)
        self.assertEqual(Company.objects.get(pk=admin.company_id).name, "Erased company")

    def test_by_its_own_pseudonym_and_twice(self):
        admin = asha()
        self.erase(admin.company.subject_id, "--company")
        self.assertEqual(self.erase(admin.company.subject_id, "--company").count("nothing is left"), 2)
        self.assertAudited("subject.erased", times=2)
