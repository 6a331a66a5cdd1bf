"""Sign-in through its URL."""

from unittest import mock

from django.contrib.auth.hashers import make_password
from django.test import override_settings

from accounts.erasure import erase
from accounts.identity.models import User
from accounts.login.credentials import verify_credentials
from accounts.login.services import sign_in
from accounts.sessions.models import Session
from security.errors import AccountLocked, InvalidCredentials
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import PASSWORD, a_person, asha, bilal, chitra
from tests.security.audit.minutes import Minutes

LOGIN = "/api/auth/login"


class SignIn(ApiTestCase):
    """E-mail and password open a session; everything else about a person gives the same refusal."""

    def test_it_answers_as_registration_does(self):
        person = asha()
        body = self.log_in(person)
        self.assertEqual(
            set(body), {"message", "user", "company", "accessToken", "refreshToken", "tokenType", "expiresIn"}
        )
        self.assertEqual(self.me(body["accessToken"]).json()["user"]["id"], str(person.pk))

    def test_the_email_is_compared_without_case_or_surrounding_space(self):
        person = asha()
        self.assertEqual(self.log_in(f"  {person.email.upper()} ")["user"]["id"], str(person.pk))

    def test_it_is_one_event_and_one_session(self):
        person = asha()
        self.log_in(person)
        self.assertAudited("session.created", actor=person)
        session = Session.objects.get()
        self.assertEqual((session.user_id, session.amr), (person.pk, "pwd"))

    def test_the_session_tells_the_client_family_and_seals_the_address(self):
        agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
        self.log_in(asha(), headers={"User-Agent": agent})
        session = Session.objects.get()
        self.assertEqual((session.client_label, session.address), ("Chrome on Windows", "127.0.0.1"))
        self.assertNotIn("127.0.0.1", str(Session.objects.values().get()))

    def test_unknown_wrong_inactive_and_unusable_look_the_same(self):
        known, inactive, unusable = asha(), chitra(is_active=False), chitra(password=None)
        answers = [
            self.post(LOGIN, {"email": "nobody@example.in", "password": PASSWORD}),
            self.post(LOGIN, {"email": known.email, "password": "not the password"}),
            self.post(LOGIN, {"email": inactive.email, "password": PASSWORD}),
            self.post(LOGIN, {"email": unusable.email, "password": PASSWORD}),
        ]
        documents = [self.assertProblem(answer, 401, "INVALID_CREDENTIALS") for answer in answers]
        for document in documents:
            document.pop("requestId")
        self.assertTrue(all(document == documents[0] for document in documents))
        self.assertAudited("session.create_refused", times=4)
        self.assertFalse(Session.objects.exists())

    def test_a_refusal_names_its_target_only_in_the_trail(self):
        person = asha()
        self.post(LOGIN, {"email": person.email, "password": "wrong"})
        self.assertAudited("session.create_refused", target=person)

    def test_no_rule_of_composition_applies_at_sign_in(self):
        person = asha(password="old")
        self.assertEqual(self.log_in(person, password="old")["user"]["id"], str(person.pk))

    def test_the_password_is_taken_byte_for_byte(self):
        person = asha(password="  पासवर्ड with spaces  ")
        self.log_in(person, password="  पासवर्ड with spaces  ")
        trimmed = {"email": person.email, "password": "पासवर्ड with spaces"}
        self.assertProblem(self.post(LOGIN, trimmed), 401, "INVALID_CREDENTIALS")

    def test_missing_and_mistyped_members_are_field_errors(self):
        self.assertProblem(self.post(LOGIN, {}), 400, "VALIDATION_FAILED", field="email")
        self.assertProblem(self.post(LOGIN, {"email": {"$gt": ""}, "password": "x"}), 400, "VALIDATION_FAILED")
        self.assertProblem(
            self.post(LOGIN, {"email": ["a@b.in"], "password": "x"}), 400, "VALIDATION_FAILED", field="email"
        )
        self.assertProblem(
            self.post(LOGIN, {"email": "a\x00@b.in", "password": "x"}), 400, "VALIDATION_FAILED", field="email"
        )
        self.assertProblem(
            self.post(LOGIN, {"email": "a@b.in", "password": "\x00x"}), 400, "VALIDATION_FAILED", field="password"
        )
        self.assertProblem(
            self.post(LOGIN, {"email": "a@b.in", "password": 12345678}),
            400,
            "VALIDATION_FAILED",
            field="password",
        )

    def test_a_stale_authorization_header_is_ignored(self):
        person = asha()
        response = self.post(LOGIN, {"email": person.email, "password": PASSWORD}, token="stale")
        self.assertEqual(response.status_code, 200)

    def test_the_eleventh_session_ends_the_oldest(self):
        person = asha()
        first = self.log_in(person)
        for _ in range(10):
            self.log_in(person)
        self.assertProblem(self.me(first["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertEqual(Session.objects.filter(revoked_at__isnull=True).count(), 10)
        self.assertAudited("session.displaced", actor=person)


class LockOut(ApiTestCase):
    """Five wrong passwords lock an account for one address; the sixth try is not even hashed."""

    def guess_wrongly(self, email, times):
        return [self.post(LOGIN, {"email": email, "password": "wrong"}) for _ in range(times)]

    def test_the_fifth_wrong_try_is_401_and_the_sixth_429_even_with_the_right_password(self):
        person = asha()
        self.assertEqual([r.status_code for r in self.guess_wrongly(person.email, 5)], [401] * 5)
        refused = self.post(LOGIN, {"email": person.email, "password": PASSWORD})
        self.assertProblem(refused, 429, "ACCOUNT_LOCKED")
        self.assertGreater(int(refused.headers["Retry-After"]), 0)
        self.assertAudited("session.locked_out", target=person)

    def test_an_unknown_address_is_locked_alike(self):
        self.guess_wrongly("nobody@example.in", 5)
        response = self.post(LOGIN, {"email": "nobody@example.in", "password": "wrong"})
        self.assertProblem(response, 429, "ACCOUNT_LOCKED")

    def test_a_colleague_behind_the_same_address_is_not_locked(self):
        person = asha()
        self.guess_wrongly(person.email, 6)
        self.log_in(bilal(company=person.company))

    def test_a_right_password_starts_the_count_anew(self):
        person = asha()
        self.guess_wrongly(person.email, 4)
        self.log_in(person)
        self.assertEqual([r.status_code for r in self.guess_wrongly(person.email, 5)], [401] * 5)

    def test_a_forged_forwarded_address_changes_nothing(self):
        person = asha()
        for number in range(5):
            self.post(
                LOGIN,
                {"email": person.email, "password": "wrong"},
                headers={"X-Forwarded-For": f"203.0.113.{number}"},
            )
        self.assertProblem(
            self.post(
                LOGIN,
                {"email": person.email, "password": PASSWORD},
                headers={"X-Forwarded-For": "203.0.113.99"},
            ),
            429,
            "ACCOUNT_LOCKED",
        )

    def test_a_client_locked_as_a_whole_leaves_a_score_of_events_whatever_it_names(self):
        with override_settings(LOCKOUT_LIMIT=1, LOCKOUT_ADDRESS_LIMIT=4):
            known = [asha() for _ in range(4)]
            for number in range(4):
                self.guess_wrongly(f"nobody{number}@example.in", 1)
            for email in [f"junk{number}@example.in" for number in range(10)] + [person.email for person in known]:
                self.assertProblem(self.guess_wrongly(email, 1)[0], 429, "ACCOUNT_LOCKED")
        self.assertAudited("session.locked_out", times=4)

    def test_knocking_on_is_one_event_which_the_next_minutes_counts(self):
        minutes = Minutes(self)
        person = asha()
        self.guess_wrongly(person.email, 9)
        minutes.pass_one()
        self.guess_wrongly(person.email, 1)
        events = self.audited("session.locked_out")
        self.assertEqual([event.parsed_leaf().data.get("repeats") for event in events], [None, 3])


class StaffOnly(ApiTestCase):
    """At a door for staff the password of anybody else is not even compared: right or wrong, it counts and refuses."""

    def check(self, person, password=PASSWORD):
        return verify_credentials(email=person.email, password=password, staff_only=True)

    def data(self):
        entries = [event.parsed_leaf().data for event in self.audited("session.create_refused")]
        return [(entry["factor"], entry.get("reason")) for entry in entries]

    def test_staff_come_in(self):
        omar = a_person(role=None)
        self.assertEqual(self.check(omar), omar)

    def test_a_right_password_of_somebody_else_is_a_failure_and_the_trail_knows_why(self):
        person = asha()
        with self.assertRaises(InvalidCredentials):
            self.check(person)
        self.assertEqual(self.data(), [("password", "not_staff")])
        self.assertAudited("session.create_refused", target=person)

    def test_the_sixth_is_locked_out_whether_the_passwords_were_right_or_wrong(self):
        for person, password in ((asha(), PASSWORD), (chitra(), "wrong"), (a_person(role=None), "wrong")):
            for _ in range(5):
                with self.assertRaises(InvalidCredentials):
                    self.check(person, password)
            with self.assertRaises(AccountLocked):
                self.check(person, password)

    def test_an_old_hash_is_not_upgraded_there_which_would_take_longer(self):
        person = asha()
        User.objects.filter(pk=person.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
        with self.assertRaises(InvalidCredentials):
            self.check(person)
        self.assertTrue(User.objects.get(pk=person.pk).password.startswith("pbkdf2_sha256$"))


class SignInAgainstPasswordChange(ApiTestCase):
    """A sign-in that verified the old password opens nothing once the password has changed."""

    def test_the_old_hash_no_longer_opens_a_session(self):
        person = asha()
        verified = User.objects.get(pk=person.pk)
        person.set_password("Another-Ledger-48")
        person.save()
        with self.assertRaises(InvalidCredentials):
            sign_in(user=verified, amr="pwd")
        self.assertFalse(Session.objects.exists())


class UpgradeOfAHash(ApiTestCase):
    """A right password brings its old hash up to date, and writes over no other."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.row = User.objects.filter(pk=self.person.pk)
        self.row.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))

    def test_the_old_one_is_replaced_and_signs_in(self):
        self.log_in(self.person)
        self.assertFalse(self.row.get().password.startswith("pbkdf2_sha256$"))
        self.log_in(self.person)

    def test_what_an_erasure_left_meanwhile_stays(self):
        def slowly(password):
            erase(who=self.person.email, reason="TICKET-1", operator="omar")
            return make_password(password)

        with mock.patch("accounts.login.credentials.make_password", side_effect=slowly):
            answer = self.post("/api/auth/login", {"email": self.person.email, "password": PASSWORD})
        self.assertProblem(answer, 401, "INVALID_CREDENTIALS")
        self.assertFalse(self.row.get().has_usable_password())


class ParallelGuesses(CommittingApiTestCase):
    """However many guess at once, five passwords are evaluated."""

    def test_fifty_parallel_wrong_passwords_evaluate_five(self):
        person = asha()
        answers = self.in_parallel(50, lambda n: self.post(LOGIN, {"email": person.email, "password": f"wrong {n}"}))
        codes = [answer.json()["code"] for answer in answers]
        self.assertLessEqual(codes.count("INVALID_CREDENTIALS"), 5, codes)
        self.assertTrue(set(codes) <= {"INVALID_CREDENTIALS", "ACCOUNT_LOCKED", "BUSY"}, codes)
        self.assertAudited("session.create_refused", times=codes.count("INVALID_CREDENTIALS"))
