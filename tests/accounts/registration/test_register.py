"""Registration through its URL."""

from accounts.identity.models import Company, User
from accounts.sessions.models import Session
from security.audit.models import AuditEvent
from tests.accounts.identity.examples import a_gstin, a_pan
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import PASSWORD, a_company, asha


def a_registration(**members):
    return {
        "companyName": "Lotus Traders",
        "companyEmail": "office@lotus.example.in",
        "adminName": "Asha Rao",
        "adminEmail": "asha@lotus.example.in",
        "password": PASSWORD,
    } | members


class Registration(ApiTestCase):
    """A company and its administrator are created together and signed in (one transaction, 201)."""

    def register(self, **members):
        return self.post("/api/auth/register", a_registration(**members))

    def test_it_answers_with_the_person_the_company_and_a_pair_of_tokens(self):
        pan = a_pan(7)
        response = self.register(phone="+91 98765 43210", gstin=a_gstin(7, pan=pan).lower(), pan=pan)
        self.assertEqual(response.status_code, 201, response.content)
        body = response.json()
        self.assertEqual(body["tokenType"], "Bearer")
        self.assertEqual(body["expiresIn"], 900)
        self.assertEqual(body["user"]["role"], "ADMIN")
        self.assertEqual(body["user"]["email"], "asha@lotus.example.in")
        self.assertFalse(body["user"]["isTwoFactorEnabled"])
        self.assertEqual(body["company"]["phone"], "+919876543210")
        self.assertEqual(body["company"]["gstin"], a_gstin(7, pan=pan))
        self.assertEqual(self.me(body["accessToken"]).json()["company"], body["company"])

    def test_it_is_an_event_about_the_company_and_one_about_the_session(self):
        self.register()
        person = User.objects.get()
        self.assertAudited("company.registered", actor=person)
        self.assertAudited("session.created", actor=person)
        self.assertEqual(AuditEvent.objects.count(), 2)
        self.assertEqual(set(AuditEvent.objects.values_list("company", flat=True)), {Company.objects.get().subject_id})

    def test_the_address_of_a_machine_is_no_domain(self):
        for email in ("asha@[127.0.0.1]", "asha@[ipv6:fe80::1]"):
            for field in ("adminEmail", "companyEmail"):
                self.assertProblem(self.register(**{field: email}), 400, "VALIDATION_FAILED", field=field)

    def test_a_domain_that_mail_would_turn_into_anothers_is_refused(self):
        self.assertProblem(self.register(adminEmail="asha@straße.de"), 400, "VALIDATION_FAILED", field="adminEmail")

    def test_the_pan_follows_from_the_gstin_when_it_was_left_out(self):
        pan = a_pan(8)
        body = self.register(gstin=a_gstin(8, pan=pan)).json()
        self.assertEqual(body["company"]["pan"], pan)

    def test_blank_optional_members_mean_absent(self):
        body = self.register(phone="", gstin="", pan=None).json()
        self.assertEqual([body["company"][name] for name in ("phone", "gstin", "pan")], [None, None, None])

    def test_a_role_or_any_other_unknown_member_is_ignored(self):
        body = self.register(role="VENDOR", isStaff=True, id="1", isActive=False).json()
        self.assertEqual(body["user"]["role"], "ADMIN")
        self.assertFalse(User.objects.get().is_staff)

    def test_every_wrong_field_is_named_at_once_and_nothing_is_written(self):
        response = self.register(companyName="", adminEmail="asha", gstin="27AAAAA0000A1Z9", phone="12345")
        document = self.assertProblem(response, 400, "VALIDATION_FAILED")
        fields = {entry["field"] for entry in document["details"]}
        self.assertEqual(fields, {"companyName", "adminEmail", "gstin", "phone"})
        self.assertEqual(document["message"], document["details"][0]["message"])
        self.assertFalse(Company.objects.exists() or User.objects.exists() or Session.objects.exists())

    def test_a_weak_password_is_named_beside_other_wrong_fields(self):
        for wrong, members in (
            ({"adminEmail", "phone"}, {"adminEmail": "asha", "phone": "12345"}),
            ({"gstin", "pan"}, {"gstin": a_gstin(9), "pan": a_pan(10)}),  # right each, but not together
            (
                {"companyName", "companyEmail", "adminName", "adminEmail"},
                dict.fromkeys(("companyName", "companyEmail", "adminName", "adminEmail"), 7),
            ),
        ):
            with self.subTest(wrong):
                document = self.assertProblem(self.register(password="Tiny1!", **members), 400, "VALIDATION_FAILED")
                told = {entry["field"]: entry for entry in document["details"]}
                self.assertEqual(set(told), wrong | {"password"})
                self.assertEqual(told["password"]["code"], "password_policy")
                self.assertEqual(document["message"], document["details"][0]["message"])

    def test_it_is_judged_beside_the_words_that_are_valid(self):
        def fields(**members):
            document = self.assertProblem(self.register(password="Lotus@Traders9", **members), 400, "VALIDATION_FAILED")
            return {entry["field"] for entry in document["details"]}

        self.assertEqual(fields(phone="12345"), {"phone", "password"})
        other = {"companyName": "", "companyEmail": "office@example.in", "adminEmail": "asha@example.in"}
        self.assertEqual(fields(**other), {"companyName"})

    def test_a_password_that_is_none_is_named_once(self):
        for password in (None, 7, ""):
            document = self.assertProblem(self.register(password=password, phone="1"), 400, "VALIDATION_FAILED")
            self.assertEqual([entry["field"] for entry in document["details"]], ["password", "phone"])

    def test_a_submitted_value_is_never_echoed(self):
        response = self.register(gstin="27SECRETVALUE1Z9", password="tiny-secret")
        self.assertNotIn(b"SECRETVALUE", response.content)
        self.assertNotIn(b"tiny-secret", response.content)

    def test_a_pan_that_differs_from_the_gstins_names_both_fields(self):
        document = self.assertProblem(self.register(gstin=a_gstin(9), pan=a_pan(10)), 400, "VALIDATION_FAILED")
        self.assertEqual({entry["field"] for entry in document["details"]}, {"gstin", "pan"})

    def test_a_weak_password_is_refused_with_its_reasons(self):
        document = self.assertProblem(self.register(password="Welcome@2026"), 400, "VALIDATION_FAILED")
        self.assertEqual({entry["field"] for entry in document["details"]}, {"password"})
        self.assertFalse(User.objects.exists())

    def test_a_known_company_email_or_gstin_is_409_and_marked(self):
        company = a_company()
        self.assertProblem(self.register(companyEmail=company.email.upper()), 409, "COMPANY_EXISTS")
        self.assertProblem(self.register(gstin=company.gstin), 409, "COMPANY_EXISTS")
        self.assertAudited("registration.refused")  # one a client, code and minute
        self.assertEqual(User.objects.count(), 0)

    def test_a_known_persons_email_is_409_whatever_its_case(self):
        person = asha()
        self.assertProblem(self.register(adminEmail=person.email.upper()), 409, "USER_EXISTS")

    def test_identifiers_are_sealed_in_the_database(self):
        pan = a_pan(11)
        self.register(phone="9876543210", gstin=a_gstin(11, pan=pan), pan=pan)
        row = str(Company.objects.values().get())
        for secret in (pan, a_gstin(11, pan=pan), "9876543210"):
            self.assertNotIn(secret, row)

    def test_a_stale_authorization_header_is_ignored(self):
        response = self.post("/api/auth/register", a_registration(), token="stale.token.here")
        self.assertEqual(response.status_code, 201)


class RegistrationRace(CommittingApiTestCase):
    """One e-mail makes one company, however many ask at once."""

    def test_of_twenty_parallel_registrations_one_is_created(self):
        responses = self.in_parallel(20, lambda number: self.post("/api/auth/register", a_registration()))
        statuses = sorted(response.status_code for response in responses)
        self.assertEqual(statuses.count(201), 1, statuses)
        self.assertTrue(set(statuses) <= {201, 409, 503}, statuses)
        self.assertEqual((Company.objects.count(), User.objects.count(), Session.objects.count()), (1, 1, 1))
        for response in responses:
            if response.status_code == 503:
                self.assertProblem(response, 503, "BUSY")
