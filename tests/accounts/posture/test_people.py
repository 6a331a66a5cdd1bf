"""People in the security audit: each fault is found under its own id, and people as they should be are silent."""

from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.test import TestCase, override_settings
from django.utils import timezone

from accounts.identity.models import User
from accounts.sessions.models import Session
from accounts.staff import StaffRole
from security.hashing import import_hash
from security.posture import audit_installation
from security.posture.registry import rules
from tests.accounts.admin.door import Staff, hire, with_factor
from tests.factories import PASSWORD, a_company, a_person, asha, bilal
from tests.security.posture.plants import found

_PLAIN = "$2b$04$" + "N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"


def people() -> set[str]:
    return found(ids="KF.P")


def change(person: User, **fields) -> None:
    User.objects.filter(pk=person.pk).update(**fields)


def days_ago(days: int):
    return timezone.now() - timedelta(days=days)


class People(TestCase):
    """One fault at a time, among people who are as they should be."""

    def setUp(self):
        super().setUp()
        now = timezone.now()
        self.omar = with_factor(hire()).user
        self.asha = with_factor(Staff(asha(), PASSWORD)).user
        self.bilal = bilal(company=self.asha.company)
        User.objects.update(last_login=now, password_changed_at=now)

    def test_people_as_they_should_be(self):
        self.assertEqual(people(), set())

    def test_staff_without_a_second_factor(self):
        self.omar.totp_device.delete()
        self.assertEqual(people(), {"KF.P001"})
        change(self.omar, is_active=False)
        self.assertEqual(people(), set())

    def test_a_set_up_that_was_not_finished_is_no_second_factor(self):
        type(self.omar.totp_device).objects.filter(user=self.omar).update(confirmed=False, confirmed_at=None)
        self.assertEqual(people(), {"KF.P001"})

    def test_new_staff_have_a_week(self):
        fresh = hire(email="new@staff.example.in").user
        self.assertEqual(people(), set())
        change(fresh, created_at=days_ago(8))
        self.assertEqual(people(), {"KF.P001"})

    def test_an_administrator_without_a_second_factor(self):
        self.asha.totp_device.delete()
        self.assertEqual(people(), {"KF.P002"})

    def administrators(self, number: int) -> None:
        for _ in range(number):
            person = a_person(company=self.asha.company, role=self.asha.role)
            with_factor(Staff(person, PASSWORD))
            change(person, last_login=timezone.now())

    def test_six_administrators_in_one_company(self):
        self.administrators(4)
        self.assertEqual(people(), set())
        self.administrators(1)
        self.assertEqual(people(), {"KF.P003"})

    def test_six_administrators_among_staff(self):
        for number in range(5):
            self.assertEqual(people(), set())
            more = with_factor(hire(email=f"more{number}@staff.example.in")).user
            change(more, last_login=timezone.now(), password_changed_at=timezone.now())
        self.assertEqual(people(), {"KF.P004"})

    def test_ninety_days_without_a_sign_in(self):
        change(self.bilal, last_login=days_ago(89))
        self.assertEqual(people(), set())
        change(self.bilal, last_login=days_ago(91))
        self.assertEqual(people(), {"KF.P005"})
        change(self.bilal, is_active=False)
        self.assertEqual(people(), set())

    def test_ninety_days_of_staff(self):
        change(self.omar, last_login=days_ago(91))
        self.assertEqual(people(), {"KF.P006"})

    def test_thirty_days_without_a_first_sign_in(self):
        change(self.bilal, last_login=None, created_at=days_ago(29))
        self.assertEqual(people(), set())
        change(self.bilal, last_login=None, created_at=days_ago(31))
        self.assertEqual(people(), {"KF.P007"})

    def test_hashes_without_our_pepper(self):
        for encoded in (import_hash(_PLAIN), "pbkdf2_sha256$1$salt$hash", "5f4dcc3b5aa765d61d8327deb882cf99"):
            change(self.bilal, password=encoded)
            self.assertEqual(people(), {"KF.P008"}, encoded)

    def test_hashes_of_another_cost(self):
        with override_settings(BCRYPT_ROUNDS=5):
            change(self.bilal, password=make_password(PASSWORD))
        self.assertEqual(people(), {"KF.P009"})

    def test_hashes_of_another_pepper(self):
        change(self.bilal, password=self.bilal.password.replace(self.bilal.password.split("$")[1], "older", 1))
        self.assertEqual(people(), {"KF.P009"})

    def test_an_account_without_a_password_has_no_weak_one(self):
        change(self.bilal, password=make_password(None))
        self.assertEqual(people(), set())

    def test_a_superuser(self):
        change(self.omar, is_superuser=True)
        self.assertEqual(people(), {"KF.P010"})

    def test_rights_outside_the_table(self):
        right = Permission.objects.get(codename="change_user")
        plants = (
            (self.omar.user_permissions.add, self.omar.user_permissions.remove, right),
            (self.bilal.groups.add, self.bilal.groups.remove, Group.objects.get(name=StaffRole.ADMINISTRATOR.value)),
        )
        for give, take, what in plants:
            give(what)
            self.assertEqual(people(), {"KF.P011"})
            take(what)
            self.assertEqual(people(), set())
        Group.objects.create(name="Friends")
        self.assertEqual(people(), {"KF.P011"})

    def test_a_role_that_gained_a_right(self):
        hire(StaffRole.SUPPORT, email="support@staff.example.in")
        group = Group.objects.get(name=StaffRole.SUPPORT.value)
        self.assertEqual(people(), set())
        group.permissions.add(Permission.objects.get(codename="change_user"))
        self.assertEqual(people(), {"KF.P011"})

    def session(self, person: User, *, days: int) -> Session:
        now = timezone.now()
        return Session.objects.create(
            user=person,
            created_at=now,
            rotated_at=now,
            auth_time=now,
            idle_until=now + timedelta(days=days),
            absolute_until=now + timedelta(days=days),
            amr="pwd",
            token_version=1,
            client_label="Chrome on Windows",
        )

    def test_a_session_beyond_the_absolute_end(self):
        self.session(self.bilal, days=7)
        self.assertEqual(people(), set())
        session = self.session(self.bilal, days=8)
        self.assertEqual(people(), {"KF.P012"})
        Session.objects.filter(pk=session.pk).update(revoked_at=timezone.now())
        self.assertEqual(people(), set())

    def test_a_session_of_somebody_deactivated(self):
        self.session(self.bilal, days=1)
        change(self.bilal, is_active=False)
        self.assertEqual(people(), {"KF.P013"})

    def test_staff_whose_password_was_issued(self):
        change(self.omar, password_changed_at=None)
        self.assertEqual(people(), {"KF.P014"})

    def test_invented_people_in_production(self):
        self.assertEqual(people(), set())
        with override_settings(ENVIRONMENT="production"):
            for person, name in ((self.omar, "omar"), (self.asha, "asha"), (self.bilal, "bilal")):
                change(person, email=f"{name}@kaveri-textiles.in")
            self.assertEqual(people(), set())
            for invented in ("admin@localhost", "asha@kaveri.example.in", "x@example.com"):
                change(self.bilal, email=invented)
                self.assertEqual(people(), {"KF.P015"}, invented)

    def test_the_neighbour_is_not_named(self):
        change(self.bilal, last_login=days_ago(91))
        (only,) = audit_installation(rule for rule in rules() if rule.id == "KF.P005").findings
        self.assertEqual(only.subject, f"person {self.bilal.subject_id}")

    def test_people_are_named_by_id_alone(self):
        self.omar.totp_device.delete()
        change(self.bilal, last_login=days_ago(91), password="weak")
        said = str(audit_installation().findings)
        for personal in (self.omar.email, self.bilal.email, self.bilal.name, self.bilal.phone or "none", "weak"):
            self.assertNotIn(f"'{personal}'", said)
        self.assertNotIn("@", said)

    def test_a_company_of_nobody_is_no_fault(self):
        a_company()
        self.assertEqual(people(), set())
