"""GET and PATCH /me."""

from accounts.identity.documents import company_document, user_document
from accounts.identity.models import User
from accounts.identity.serializers import CompanySerializer, UserSerializer
from security.rbac import Role
from tests.base import ApiTestCase
from tests.factories import a_person, asha, bilal

ME = "/api/auth/me"


class Me(ApiTestCase):
    """You and your company, never a secret or an internal flag."""

    def test_it_shows_the_listed_members_only(self):
        person = asha(phone="+919876543210")
        body = self.me(self.log_in(person)["accessToken"]).json()
        self.assertEqual(
            set(body["user"]),
            {"id", "email", "name", "phone", "role", "isActive", "isTwoFactorEnabled", "lastLogin", "createdAt",
             "permissions"},
        )  # fmt: skip
        self.assertEqual(set(body["company"]), {"id", "name", "email", "phone", "gstin", "pan", "createdAt"})
        self.assertEqual(body["user"]["phone"], "+919876543210")

    def test_it_is_never_stored_by_a_cache(self):
        response = self.me(self.log_in(asha())["accessToken"])
        self.assertEqual(response.headers["Cache-Control"], "no-store")

    def test_identifiers_are_whole_for_admin_and_accountant_and_masked_for_others(self):
        person = asha()
        for role in Role:
            colleague = bilal(company=person.company, role=role)
            company = self.me(self.log_in(colleague)["accessToken"]).json()["company"]
            if role in (Role.ADMIN, Role.ACCOUNTANT):
                self.assertEqual(company["gstin"], person.company.gstin)
            else:
                for name in ("gstin", "pan", "phone"):
                    whole = getattr(person.company, name)
                    self.assertEqual(company[name], "•" * (len(whole) - 4) + whole[-4:])

    def test_staff_have_neither_company_nor_role(self):
        body = self.me(self.log_in(a_person(role=None))["accessToken"]).json()
        self.assertIsNone(body["company"])
        self.assertIsNone(body["user"]["role"])
        self.assertEqual(body["user"]["permissions"], [])

    def test_cookies_never_authenticate_it(self):
        self.client.force_login(asha())
        self.assertProblem(self.client.get(ME), 401, "NO_TOKEN")

    def test_the_declared_shape_and_the_document_agree(self):
        person = asha()
        self.assertEqual(list(UserSerializer().fields), list(user_document(person)))
        self.assertEqual(list(CompanySerializer().fields), list(company_document(person.company, viewer=person)))


class UpdateMe(ApiTestCase):
    """A person may change name and phone, and nothing else."""

    def patch(self, person, **members):
        return self.send("patch", ME, members, token=self.log_in(person)["accessToken"])

    def test_name_and_phone_change_and_the_event_names_fields_not_values(self):
        person = asha()
        response = self.patch(person, name="  Asha  Rao-Iyer ", phone="098765-43210")
        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(response.json()["user"]["name"], "Asha  Rao-Iyer")
        self.assertEqual(response.json()["user"]["phone"], "+919876543210")
        self.assertAudited("profile.updated", actor=person, target=person)
        leaf = bytes(self.audited("profile.updated")[0].leaf).decode()
        self.assertIn("phone", leaf)
        self.assertNotIn("98765", leaf)

    def test_a_blank_phone_removes_it_and_a_missing_one_stays(self):
        person = asha(phone="+919876543210")
        self.patch(person, name="Asha")
        self.assertEqual(User.objects.get(pk=person.pk).phone, "+919876543210")
        self.patch(person, phone="")
        self.assertIsNone(User.objects.get(pk=person.pk).phone)

    def test_nothing_changed_is_no_event(self):
        person = asha()
        self.assertEqual(self.patch(person, name=person.name).status_code, 200)
        self.assertAudited("profile.updated", times=0)

    def test_email_role_and_flags_cannot_be_set(self):
        person = bilal(company=asha().company)
        self.patch(person, email="other@example.in", role="ADMIN", isStaff=True, isActive=False)
        after = User.objects.get(pk=person.pk)
        self.assertEqual(
            (after.email, after.role, after.is_staff, after.is_active), (person.email, "VIEWER", False, True)
        )

    def test_names_of_india_come_back_byte_for_byte(self):
        person = asha()
        for name in ("आशा राव", "ஆஷா", "O'Neil & Sons", "a < b", "क्‍ष", "Asha 👩‍💼"):
            self.assertEqual(self.patch(person, name=name).json()["user"]["name"], name)

    def test_hidden_and_control_characters_are_refused_with_the_field(self):
        person = asha()
        for bad in ("As\u200bha", "\ufeffAsha", "As\u202eha", "As\x07ha", "As\nha", "As\x00ha"):
            self.assertProblem(self.patch(person, name=bad), 400, "VALIDATION_FAILED", field="name")

    def test_too_long_and_blank_and_mistyped_names_are_refused(self):
        person = asha()
        for bad in ("x" * 51, "", "   ", "\u200d", "\u3164", 7, None, ["Asha"], {"first": "Asha"}, "x" * 100_000):
            self.assertProblem(self.patch(person, name=bad), 400, "VALIDATION_FAILED", field="name")
