"""GET and PATCH /api/company."""

from accounts.erasure import Basis, erase, place_hold
from accounts.identity.models import Company
from security.rbac import Role
from tests.base import ApiTestCase
from tests.factories import asha, bilal, chitra

COMPANY = "/api/company"


class OwnCompany(ApiTestCase):
    """You see your own company and no other; only an ADMIN changes it."""

    def patch(self, person, **members):
        return self.send("patch", COMPANY, members, token=self.log_in(person)["accessToken"])

    def test_each_person_sees_their_own(self):
        mine, other = asha(), chitra()
        seen = self.get(COMPANY, token=self.log_in(mine)["accessToken"]).json()
        self.assertEqual(seen["id"], str(mine.company_id))
        self.assertNotEqual(seen["id"], str(other.company_id))

    def test_it_costs_one_statement(self):
        token = self.log_in(asha())["accessToken"]
        with self.assertNumQueries(1):
            self.get(COMPANY, token=token)

    def test_an_admin_changes_name_and_phone_and_the_event_names_fields_not_values(self):
        person = asha()
        response = self.patch(person, name="AT&T Bharat", phone="98765 43210")
        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual((response.json()["name"], response.json()["phone"]), ("AT&T Bharat", "+919876543210"))
        self.assertAudited("company.updated", actor=person)
        leaf = bytes(self.audited("company.updated")[0].leaf).decode()
        self.assertNotIn("Bharat", leaf)

    def test_gstin_pan_email_and_id_stay(self):
        person = asha()
        before = Company.objects.get(pk=person.company_id)
        self.patch(person, gstin="", pan="AAAPA1234A", email="x@example.in", id="1", subject="2")
        after = Company.objects.get(pk=person.company_id)
        self.assertEqual((after.gstin, after.pan, after.email), (before.gstin, before.pan, before.email))

    def test_a_refusal_of_permission_is_audited_and_changes_nothing(self):
        person = asha()
        colleague = bilal(company=person.company, role=Role.ACCOUNTANT)
        self.assertProblem(self.patch(colleague, name="Mine now"), 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", actor=colleague)
        self.assertNotEqual(Company.objects.get(pk=person.company_id).name, "Mine now")

    def test_an_erased_company_is_changed_by_nobody_whether_or_not_its_key_is_kept(self):
        for is_kept in (False, True):
            person = asha()
            subject = str(person.company.subject_id)
            if is_kept:
                place_hold(who=subject, basis=Basis.LOGS, reason="CASE-1", operator="omar")
            erase(who=subject, with_company=True, reason="TICKET-1", operator="omar")
            late = bilal(company=person.company, role=Role.ADMIN)
            self.assertProblem(self.patch(late, name="Real Traders"), 401, "SESSION_INVALID")
            self.assertEqual(Company.objects.get(pk=person.company_id).name, "Erased company")

    def test_bad_input_is_a_field_error(self):
        person = asha()
        for name in ("", "x" * 101, 7, "a\u202eb"):
            self.assertProblem(self.patch(person, name=name), 400, "VALIDATION_FAILED", field="name")
        self.assertProblem(self.patch(person, phone="12345"), 400, "VALIDATION_FAILED", field="phone")
