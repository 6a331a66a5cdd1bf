"""`staff_remove`: nothing of a staff member opens the admin any more, and the trail says who took it away."""

from datetime import timedelta
from io import StringIO

from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.identity.models import User
from accounts.passwords.models import PasswordReset
from accounts.sessions.models import EndReason, Session
from accounts.staff import StaffRole
from accounts.twofactor.models import RecoveryCode, TotpDevice
from security.audit import Action
from security.operator_account import operator_name
from tests.accounts.admin.door import INDEX, AdminTestCase, hire
from tests.factories import asha

OMAR = "omar@staff.example.in"
ESHA = "esha@staff.example.in"


def remove(email: str = OMAR, *options: str, reason: str = "OPS-7") -> str:
    """Runs the command; what it printed."""
    out = StringIO()
    call_command("staff_remove", email, "--reason", reason, *options, stdout=out)
    return out.getvalue()


class StaffRemove(AdminTestCase):
    """Account, rights, sessions and both factors go; the row and its events stay; a colleague keeps theirs."""

    def make(self):
        self.esha = hire(email=ESHA)
        self.omar = self.enter(StaffRole.SUPPORT)

    def assertStands(self, email: str = OMAR) -> None:
        user = User.objects.get(email=email)
        self.assertTrue(user.is_active and user.has_usable_password() and user.groups.exists())
        self.assertAudited("staff.removed", times=0)

    def test_who_is_inside_is_out_at_once_and_the_password_opens_nothing(self):
        self.assertInside()
        remove()
        self.assertEqual(Session.objects.get().end_reason, EndReason.ADMINISTRATOR)
        self.assertOutside()
        self.assertContains(self.give_password(self.omar), "E-mail or password is not correct.")

    def test_nothing_is_left_that_could_be_used(self):
        user = self.omar.user
        user.user_permissions.add(Permission.objects.get(codename="delete_user"))
        User.objects.filter(pk=user.pk).update(is_superuser=True)
        now = timezone.now()
        reset = PasswordReset(user=user, token_hash=b"h" * 32, created_at=now, expires_at=now + timedelta(days=1))
        reset.save(force_insert=True)
        RecoveryCode.objects.create(user=user, code_hash=b"c" * 32)
        remove()
        user = User.objects.get(pk=user.pk)
        self.assertEqual((user.is_active, user.is_superuser, user.has_usable_password()), (False, False, False))
        self.assertFalse(user.groups.exists() or user.user_permissions.exists())
        self.assertFalse(PasswordReset.objects.usable(now).exists())
        self.assertFalse(TotpDevice.objects.exists() or RecoveryCode.objects.exists())

    def test_it_prints_one_line_and_may_be_run_twice(self):
        self.assertEqual(remove(), f"{OMAR}: removed; roles: Support, sessions ended: 1, second factor removed\n")
        self.assertEqual(
            remove(f" {OMAR.upper()} "),
            f"{OMAR}: was closed already; roles: none, sessions ended: 0, no second factor was on\n",
        )

    def test_it_is_one_event_that_says_who_and_why_and_names_no_actor(self):
        remove()
        (event,) = self.audited(Action.STAFF_REMOVED.type)
        self.assertEqual((event.actor, event.target), (None, self.omar.user.subject_id))
        self.assertEqual(
            event.parsed_leaf().data,
            {
                "reason": "OPS-7",
                "operator": operator_name(),
                "roles": ["Support"],
                "sessions_ended": 1,
                "had_second_factor": True,
            },
        )

    def test_a_colleague_keeps_theirs(self):
        remove(ESHA, "--last")
        self.assertInside()

    def test_the_last_administrator_goes_only_by_a_word_of_its_own(self):
        with self.assertRaisesMessage(CommandError, "last active Administrator") as refused:
            remove(ESHA)
        self.assertEqual(refused.exception.returncode, 1)
        self.assertStands(ESHA)
        remove(ESHA, "--last")
        self.assertFalse(User.objects.get(email=ESHA).is_active)

    def test_an_administrator_who_is_closed_counts_as_none(self):
        farah = hire(email="farah@staff.example.in").user
        User.objects.filter(pk=farah.pk).update(is_active=False)
        with self.assertRaisesMessage(CommandError, "last active Administrator"):
            remove(ESHA)

    def test_whom_it_does_not_take(self):
        person = asha()
        for email, reason, says in (
            ("nobody@example.in", "OPS-7", "nobody has the address nobody@example.in"),
            (person.email, "OPS-7", "is not staff"),
            (OMAR, " ", "a reason has 1 to"),
            (OMAR, f"told by {person.email}", "name a ticket in it, and no person"),
        ):
            with self.subTest(says), self.assertRaisesMessage(CommandError, says):
                remove(email, reason=reason)
        person.refresh_from_db()
        self.assertTrue(person.is_active)
        self.assertStands()

    def test_staff_create_is_the_way_back_with_everything_new(self):
        User.objects.filter(email=OMAR).update(last_login=timezone.now())
        remove()
        out = StringIO()
        call_command("staff_create", email=OMAR, name="Omar Farooq", role="Auditor", stdout=out)
        self.assertRegex(out.getvalue(), rf"^Auditor {OMAR} was closed and is open again; password, shown this once: K")
        event = self.audited("staff.created")[-1]
        self.assertEqual(event.target, self.omar.user.subject_id)
        self.assertIs(event.parsed_leaf().data["is_back"], True)
        self.omar.password = out.getvalue().split()[-1]
        self.assertTrue(self.key_on(self.give_password(self.omar)))  # the old factor is gone
        self.assertOutside(INDEX)
