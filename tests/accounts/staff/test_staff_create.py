"""`staff_create`: a staff member without company, with a password that is shown once."""

import re
from io import StringIO
from unittest.mock import patch

from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import TestCase
from django.utils import timezone

from accounts.identity.models import User, UserManager
from accounts.passwords import check_password_policy
from accounts.staff import StaffRole
from accounts.staff.roles import rights_of
from security.audit import AuditEvent
from security.operator_account import operator_name
from tests.base import CommittingApiTestCase
from tests.factories import asha

OMAR = "omar@audit.example.in"


def said(email: str = OMAR, role: str = "Auditor", *, name: str = "Omar Farooq") -> str:
    """Runs the command; what it printed."""
    out = StringIO()
    call_command("staff_create", email=email, name=name, role=role, stdout=out)
    return out.getvalue()


def create(email: str = OMAR, role: str = "Auditor") -> str:
    """Runs the command; the password it printed."""
    return re.search(r"shown this once: (\S+)", said(email, role))[1]


def types() -> list[str]:
    """What the audit log holds of staff."""
    return list(AuditEvent.objects.filter(type__startswith="staff.").order_by("pk").values_list("type", flat=True))


class Creating(TestCase):
    """One line of outcome, one account, one audit event."""

    def test_it_makes_staff_who_can_sign_in(self):
        password = create()
        omar = User.objects.get(email=OMAR)
        self.assertTrue(omar.check_password(password))
        self.assertEqual((omar.is_staff, omar.is_superuser, omar.company, omar.role), (True, False, None, None))
        self.assertEqual([group.name for group in omar.groups.all()], ["Auditor"])

    def test_it_is_audited_without_the_address(self):
        asha()
        create()
        event = AuditEvent.objects.get(type="staff.created")
        self.assertEqual(event.target, User.objects.get(email=OMAR).subject_id)
        self.assertEqual(
            event.parsed_leaf().data,
            {"role": "Auditor", "password_reissued": False, "operator": operator_name()},
        )
        self.assertNotIn(b"omar", bytes(event.leaf).lower())

    def test_passwords_differ_and_please_the_policy(self):
        passwords = {create(f"p{number}@audit.example.in") for number in range(3)}
        self.assertEqual(len(passwords), 3)
        for password in passwords:
            self.assertEqual(check_password_policy(password, words=[OMAR], has_second_factor=False), [])

    def test_run_again_before_the_first_sign_in_it_issues_a_new_password(self):
        lost = create()
        found = create(role="Support")
        omar = User.objects.get(email=OMAR)
        self.assertFalse(omar.check_password(lost))
        self.assertTrue(omar.check_password(found))
        self.assertEqual([group.name for group in omar.groups.all()], ["Support"])
        self.assertEqual(types(), ["staff.first_created", "staff.created"])

    def test_the_first_account_of_all_is_an_event_of_its_own_and_no_later_one_is(self):
        create("omar@staff.example.in", role="Administrator")
        create("farah@staff.example.in", role="Administrator")
        User.objects.update(is_active=False)  # whoever makes room for a new first one makes none
        create("esha@staff.example.in", role="Administrator")
        self.assertEqual(types(), ["staff.first_created", "staff.created", "staff.created"])

    def test_it_says_which_of_the_two_it_did(self):
        self.assertRegex(said(), rf"^Auditor {OMAR} created; password, shown this once: K\S+\n$")
        again = said()
        self.assertNotIn("created", again)
        self.assertIn("never signed in; the password before is void", again)

    def test_run_again_after_it_is_refused_and_changes_nothing(self):
        password = create()
        User.objects.filter(email=OMAR).update(last_login=timezone.now())
        with self.assertRaisesMessage(
            CommandError, "has an account already and has signed in; if the password is lost"
        ):
            create()
        self.assertTrue(User.objects.get(email=OMAR).check_password(password))

    def test_a_person_of_a_company_does_not_become_staff(self):
        person = asha()
        with self.assertRaisesMessage(CommandError, "staff need an address of their own"):
            create(person.email)
        person.refresh_from_db()
        self.assertFalse(person.is_staff)

    def test_what_is_no_address_is_refused(self):
        with self.assertRaisesMessage(CommandError, "no e-mail address"):
            create("omar")

    def test_a_name_is_held_to_what_names_are(self):
        said(name=" <b>Omar</b> O'Neil ")
        self.assertEqual(User.objects.get(email=OMAR).name, "Omar O'Neil")
        for name in ("", "  ", "<br>", "x" * 51, "Om\u202ear"):
            with self.subTest(name), self.assertRaisesMessage(CommandError, "--name"):
                said("other@audit.example.in", name=name)


class Rights(TestCase):
    """Each role has rights of its own; who acts is not who checks."""

    def rights(self, role: str) -> set[str]:
        create(f"{role.lower()}@audit.example.in", role)
        return User.objects.get(email=f"{role.lower()}@audit.example.in").get_all_permissions()

    def test_an_auditor_reads_and_changes_nothing(self):
        rights = self.rights("Auditor")
        self.assertIn("security.view_auditevent", rights)
        self.assertTrue(all(".view_" in right for right in rights), rights)

    def test_support_ends_sessions_and_lifts_locks_and_does_not_read_the_log(self):
        rights = self.rights("Support")
        self.assertLessEqual({"accounts.delete_session", "security.delete_credentialcounter"}, rights)
        self.assertNotIn("security.view_auditevent", rights)
        self.assertNotIn("accounts.change_user", rights)

    def test_an_administrator_may_not_touch_the_log_or_keys(self):
        rights = self.rights("Administrator")
        self.assertIn("accounts.change_user", rights)
        for model in ("auditevent", "auditpii", "subjectkey"):
            for verb in ("add", "change", "delete"):
                self.assertNotIn(f"security.{verb}_{model}", rights)

    def test_an_administrator_only_looks_at_holds_and_at_what_lets_somebody_in(self):
        rights = self.rights("Administrator")
        for model in ("legalhold", "withheld", "passwordreset", "challenge", "totpdevice", "recoverycode"):
            held = {right for right in rights if right.endswith(f"_{model}")}
            self.assertEqual(held, {f"accounts.view_{model}"})

    def test_a_right_of_another_app_is_nobodys(self):
        for role in StaffRole:
            self.assertEqual(rights_of(role, offered=[("auth", "change_group"), ("axes", "view_accesslog")]), set())

    def test_a_right_that_was_taken_from_the_table_goes_from_the_group(self):
        create()
        omar = User.objects.get(email=OMAR)
        from django.contrib.auth.models import Permission

        omar.groups.get().permissions.add(Permission.objects.get(codename="delete_user"))
        create()
        self.assertNotIn("accounts.delete_user", User.objects.get(email=OMAR).get_all_permissions())


class AtOnce(CommittingApiTestCase):
    """Of several runs for one address there is one account, and each says in a line what became of it."""

    def test_one_account(self):
        def act(_):
            try:
                return said()
            except CommandError as refused:
                return str(refused)

        lines = self.in_parallel(3, act)
        self.assertEqual(sum(" created; password" in line for line in lines), 1, lines)
        for line in lines:
            self.assertRegex(line, "shown this once|in this very moment")
        self.assertEqual(User.objects.filter(email=OMAR).count(), 1)
        self.assertEqual(len(types()), sum("shown this once" in line for line in lines))

    def test_where_another_was_quicker(self):
        with (
            patch.object(UserManager, "create_user", side_effect=IntegrityError),
            self.assertRaisesRegex(CommandError, f"^{OMAR} was given an account by somebody else in this very moment"),
        ):
            said()
        self.assertEqual(types(), [])
