"""Sign-in through its URL."""

from accounts.identity.models import User
from accounts.sessions.models import Session
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import PASSWORD, asha, bilal, chitra

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


class SignInAgainstPasswordChange(ApiTestCase):
    """A sign-in that verified the old password opens nothing once the password has changed."""

    def test_the_old_hash_no_longer_opens_a_session(self):
        from accounts.login.services import sign_in
        from security.errors import InvalidCredentials

        person = asha()
        verified = User.objects.get(pk=person.pk)
        person.set_password("Another-Ledger-48")
        person.save()
        with self.assertRaises(InvalidCredentials):
            sign_in(user=verified, amr="pwd")
        self.assertFalse(Session.objects.exists())


class ParallelGuesses(CommittingApiTestCase):
    """However many guess at once, five passwords are evaluated."""

    def test_fifty_parallel_wrong_passwords_evaluate_five(self):
        person = asha()
        answers = self.in_parallel(50, lambda n: self.post(LOGIN, {"email": person.email, "password": f"wrong {n}"}))
        codes = [answer.json()["code"] for answer in answers]
        self.assertLessEqual(codes.count("INVALID_CREDENTIALS"), 5, codes)
        self.assertTrue(set(codes) <= {"INVALID_CREDENTIALS", "ACCOUNT_LOCKED", "BUSY"}, codes)
        self.assertAudited("session.create_refused", times=codes.count("INVALID_CREDENTIALS"))
