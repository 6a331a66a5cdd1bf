"""What the admin's pages show, what they never show, what reading them leaves and costs."""

import re

from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from accounts.identity.models import Company, User
from accounts.sessions.models import Session
from accounts.staff import StaffRole
from accounts.twofactor.models import RecoveryCode, TotpDevice
from tests.accounts.admin.door import AdminTestCase, Staff, with_factor
from tests.factories import PASSWORD, a_company, a_person, asha, bilal

# Six for the door: cookie, person, device, session, two of rights. Lists and pages add their mark: the event, the
# client's address, and the two ends of its transaction.
LISTS = {"user": 12, "company": 12, "session": 12}
PAGES = {"user": 13, "company": 12, "session": 11}


class Pages(AdminTestCase):
    """Read-only, masked, and each one opened is marked."""

    def make(self) -> None:
        self.omar = self.enter()
        self.person = asha(phone="+919876543210")
        self.log_in(self.person)
        self.session = Session.objects.get(user=self.person)
        self.things = (self.person, self.person.company, self.session)

    def text_of(self, thing) -> str:
        response = self.client.get(self.page_of(thing))
        self.assertEqual(response.status_code, 200)
        return response.content.decode()

    def test_identifiers_are_masked(self):
        company = self.person.company
        self.assertIn("•••••••••3210", self.text_of(self.person))
        page = self.text_of(company)
        for identifier in (company.phone, company.gstin, company.pan):
            self.assertNotIn(identifier, page)
            self.assertIn("•" * (len(identifier) - 4) + identifier[-4:], page)
        self.assertNotIn("127.0.0.1", self.text_of(self.session))

    def test_no_secret_hash_or_token_stands_on_any_page(self):
        staff = with_factor(Staff(self.person, PASSWORD))
        RecoveryCode.objects.create(user=self.person, code_hash=b"R" * 32)
        paths = [self.page_of(thing) for thing in self.things]
        paths += [f"/admin/accounts/{name}/" for name in LISTS] + ["/admin/"]
        for path in paths:
            page = self.client.get(path).content.decode()
            for secret in (self.person.password, "bcrypt", staff.secret, "RRRR", str(self.person.subject_id), "eyJ"):
                self.assertNotIn(secret, page, path)

    def test_no_page_has_a_field_for_anothers_password(self):
        for thing in self.things:
            page = self.text_of(thing)
            self.assertNotIn('type="password"', page)
            self.assertEqual(re.findall(r'<(?:select|textarea)\b|<input type="(?!hidden|search)', page), [])

    def test_nothing_can_be_added_changed_or_deleted(self):
        for thing in self.things:
            name = f"accounts_{thing._meta.model_name}"
            for act in ("add", "delete", "history"):
                with self.assertRaises(NoReverseMatch):
                    reverse(f"admin:{name}_{act}", args=[] if act == "add" else [thing.pk])
            response = self.client.post(self.page_of(thing), {"email": "x@example.in", "password": "x"})
            self.assertProblem(response, 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", times=3, actor=self.omar.user)

    def test_djangos_password_page_for_people_does_not_exist(self):
        path = f"/admin/accounts/user/{self.person.pk}/password/"
        self.assertProblem(self.client.get(path), 405, "METHOD_NOT_ALLOWED")  # only buttons have such an address
        given = {"password1": "Cardamom-Ledger-58", "password2": "Cardamom-Ledger-58"}
        self.assertProblem(self.client.post(path, given), 404, "NOT_FOUND")

    def test_only_our_own_models_are_there(self):
        self.assertEqual(
            {m._meta.app_label for m in admin.site._registry} - {"accounts", "security", "monitoring"}, set()
        )
        self.assertNotIn(Group, admin.site._registry)
        self.assertTrue({User, Company, Session} <= set(admin.site._registry))
        self.assertNotIn(TotpDevice, admin.site._registry)

    def test_opening_a_page_is_marked_before_it_is_shown(self):
        for thing in self.things:
            self.text_of(thing)
        company = self.person.company
        self.assertEqual([d["page"] for d in self.data_of("user.viewed")], ["user", "session"])
        self.assertAudited("user.viewed", times=2, actor=self.omar.user, target=self.person)
        event = self.audited("company.viewed")[0]
        self.assertEqual((event.actor, event.target), (self.omar.user.subject_id, company.subject_id))
        self.assertEqual({event.audit_class for event in self.audited("user.viewed")}, {"access"})

    def test_a_name_with_markup_is_shown_as_text(self):
        self.person.name = "<script>alert(1)</script>"
        self.person.save(update_fields=["name"])
        self.assertNotIn("<script>alert", self.text_of(self.person))
        self.assertNotIn("<script>alert", self.client.get("/admin/accounts/user/").content.decode())

    def test_an_erased_person_is_shown_as_erased(self):
        subject = self.person.subject
        subject.wrapped, subject.destroyed_at = None, self.person.created_at
        subject.save()
        self.assertIn("erased", self.text_of(self.person))

    def test_times_are_those_of_india(self):
        self.assertIn("24 Nov 2026, 11:30", self.text_of(self.session))  # 06:00 UTC; the clock stands

    def test_search_and_filters_find_the_person(self):
        other = bilal(company=self.person.company)
        for query, found in (
            (f"q={self.person.email}", True),
            ("q=nobody@nowhere", False),
            (f"q={self.person.subject_id}", True),
            (f"q={other.subject_id}", False),
            ("role__exact=ADMIN", True),
            ("role__exact=VENDOR", False),
            ("second_factor=on", False),
            ("second_factor=off", True),
            (f"company__id__exact={self.person.company_id}", True),
            (f"company__id__exact={a_company().pk}", False),
        ):
            with self.subTest(query=query):
                page = self.client.get(f"/admin/accounts/user/?{query}").content.decode()
                self.assertEqual(self.person.email in page.partition('id="result_list"')[2], found)
        self.assertIn(other.email, self.client.get("/admin/accounts/user/").content.decode())

    def test_sessions_are_found_by_person_and_state(self):
        for query, found in (
            ("state=alive", True),
            ("state=ended", False),
            (f"user__id__exact={self.person.pk}", True),
            (f"user__id__exact={self.omar.user.pk}", False),
        ):
            with self.subTest(query=query):
                page = self.client.get(f"/admin/accounts/session/?{query}").content.decode()
                self.assertEqual(self.person.email in page.partition('id="result_list"')[2], found)

    def test_pages_carry_a_policy_without_inline_code(self):
        for path in ("/admin/", "/admin/accounts/user/", self.page_of(self.person)):
            response = self.client.get(path)
            policy = response.headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            page = response.content.decode()
            self.assertEqual(re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page), [])


class Budgets(AdminTestCase):
    """A list costs the same whether it shows one row or fifty."""

    def count(self, path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(self.client.get(path).status_code, 200)
        return len(captured)

    def test_lists(self):
        self.enter()
        self.client.get("/admin/accounts/user/")  # content types are cached from here on
        for _ in range(3):
            person = a_person()
            with_factor(Staff(person, PASSWORD))
            self.log_in_with_factor_off(person)
        few = {name: self.count(f"/admin/accounts/{name}/") for name in LISTS}
        for _ in range(4):
            person = a_person()
            with_factor(Staff(person, PASSWORD))
            self.log_in_with_factor_off(person)
        many = {name: self.count(f"/admin/accounts/{name}/") for name in LISTS}
        self.assertEqual(few, many)
        for name, budget in LISTS.items():
            self.assertLessEqual(many[name], budget, name)

    def test_pages(self):
        self.enter()
        ContentType.objects.get_for_models(User, Company, Session)  # cached in a process from here on
        person = asha()
        self.log_in(person)
        for thing in (person, person.company, Session.objects.get(user=person)):
            name = thing._meta.model_name
            self.assertLessEqual(self.count(self.page_of(thing)), PAGES[name], name)

    def log_in_with_factor_off(self, person) -> None:
        TotpDevice.objects.filter(user=person).update(confirmed=False, confirmed_at=None)
        self.log_in(person)
        TotpDevice.objects.filter(user=person).update(confirmed=True, confirmed_at=person.created_at)


class Filters(AdminTestCase):
    """A list filters by what stands beside it and by nothing else: a hash must not be read letter by letter."""

    def test_any_other_lookup_is_refused(self):
        self.enter(StaffRole.SUPPORT)
        for query in ("password__regex=^b", "password__startswith=b", "email__regex=^(a%2B)%2B$", "is_superuser=1",
                      "created_at__year=99999999", "token_version__gt=1", "role=%00", "phone_sealed__isnull=1",
                      "company__gstin_index__isnull=1"):  # fmt: skip
            with self.subTest(query):
                response = self.client.get(f"/admin/accounts/user/?{query}")
                self.assertIn(response.status_code, (302, 400, 403), response.content[:200])
        for query in ("user__password__startswith=b", "user__email__regex=x"):
            response = self.client.get(f"/admin/accounts/session/?{query}")
            self.assertIn(response.status_code, (302, 400, 403))

    def test_the_filters_beside_the_list_work(self):
        self.enter(StaffRole.SUPPORT)
        person = asha()
        for query in ("role__exact=ADMIN", "is_active__exact=1", "is_staff__exact=0", "role__isnull=True",
                      f"company__id__exact={person.company_id}"):  # fmt: skip
            with self.subTest(query):
                self.assertEqual(self.client.get(f"/admin/accounts/user/?{query}").status_code, 200)
