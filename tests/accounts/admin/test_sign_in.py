"""The admin's door: a password, then a second factor that the first sign-in sets up."""

import re
from unittest import mock

from django.conf import settings
from django.contrib.sessions.models import Session as CookieSession
from django.test import Client

from accounts.erasure import erase
from accounts.identity.models import User
from accounts.sessions.models import Session
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.services import confirm_setup
from security.lockout.models import KnownDevice
from tests.accounts.admin.door import CODE, INDEX, LOGIN, LOGOUT, SETUP, AdminTestCase, hire, with_factor
from tests.accounts.twofactor.authenticator import code_of, wrong_code
from tests.factories import PASSWORD, a_person, asha


class Password(AdminTestCase):
    """A password alone opens no page; a wrong one counts and locks as at the API."""

    def test_without_sign_in_every_page_leads_to_the_door(self):
        for path in (INDEX, "/admin/accounts/user/", "/admin/accounts/session/", "/admin/password_change/"):
            self.assertOutside(path)

    def test_the_address_without_slash_leads_there_too(self):
        self.assertEqual(self.client.get("/admin").headers["Location"], INDEX)

    def test_a_right_password_opens_no_page(self):
        omar = with_factor(hire())
        self.assertRedirects(self.give_password(omar), CODE, fetch_redirect_response=False)
        self.assertOutside()

    def test_a_wrong_password_is_refused_and_marked(self):
        omar = with_factor(hire())
        response = self.give_password(omar, "Monsoon-Ledger-48")
        self.assertContains(response, "E-mail or password is not correct.")
        self.assertAudited("session.create_refused", target=omar.user)

    def test_five_wrong_passwords_lock_the_right_one_out_and_say_so(self):
        omar = with_factor(hire())
        for _ in range(5):
            self.assertEqual(self.give_password(omar, "wrong").status_code, 200)
        response = self.give_password(omar)
        self.assertContains(response, "Too many failed sign-ins. Wait before you try again.", status_code=429)
        self.assertEqual(response.headers["Retry-After"], "900")
        self.assertAudited("session.locked_out", target=omar.user)

    def test_staff_who_were_inside_from_here_are_not_locked_out_by_a_strangers_five(self):
        omar = self.enter()
        self.client.logout()
        for _ in range(5):
            self.assertEqual(self.give_password(omar, "wrong").status_code, 200)
        self.assertEqual(self.give_password(omar).status_code, 302)

    def test_wrong_passwords_at_the_api_count_here(self):
        omar = with_factor(hire())
        for _ in range(5):
            self.post("/api/auth/login", {"email": omar.user.email, "password": "wrong"})
        self.assertEqual(self.give_password(omar).status_code, 429)

    def test_wrong_passwords_here_count_at_the_api(self):
        omar = hire()
        for _ in range(5):
            self.give_password(omar, "wrong")
        response = self.post("/api/auth/login", {"email": omar.user.email, "password": omar.password})
        self.assertProblem(response, 429, "ACCOUNT_LOCKED")

    def test_a_person_of_a_company_is_refused_in_the_same_words(self):
        person = asha()
        response = self.client.post(LOGIN, {"email": person.email, "password": PASSWORD})
        self.assertContains(response, "E-mail or password is not correct.")
        self.assertAudited("session.create_refused", target=person)
        self.assertEqual(self.data_of("session.create_refused")[0]["reason"], "not_staff")

    def test_six_right_passwords_of_a_person_of_a_company_answer_as_six_wrong_ones(self):
        answers = []
        for person, password in ((asha(), PASSWORD), (asha(), "wrong")):
            for _ in range(6):
                response = self.client.post(LOGIN, {"email": person.email, "password": password})
                page = re.sub(r'value="[^"]*"', "", response.content.decode())  # the e-mail and the CSRF token
                answers.append((response.status_code, response.headers.get("Retry-After"), page))
        self.assertEqual(answers[:6], answers[6:])
        self.assertEqual([status for status, *_ in answers[:6]], [200] * 5 + [429])

    def test_a_person_of_a_company_with_a_cookie_does_not_enter(self):
        self.client.force_login(asha())
        self.assertOutside()

    def test_staff_with_a_cookie_but_no_second_factor_do_not_enter(self):
        self.client.force_login(a_person(role=None))
        self.assertOutside()

    def test_a_form_without_its_csrf_token_is_refused(self):
        browser = Client(enforce_csrf_checks=True)
        omar = with_factor(hire())
        for path in (LOGIN, CODE, SETUP):
            response = browser.post(path, {"email": omar.user.email, "password": omar.password, "code": "123456"})
            self.assertProblem(response, 403, "CSRF_FAILED")
        self.assertEqual(Session.objects.count(), 0)


class SecondFactor(AdminTestCase):
    """The code after the password: five tries, each code once; a recovery code will do."""

    def test_the_right_code_lets_in(self):
        omar = self.enter()
        self.assertInside()
        self.assertAudited("session.created", actor=omar.user)
        entry = self.data_of("session.created")[0]
        self.assertEqual((entry["amr"], entry["surface"]), (["pwd", "otp"], "admin"))

    def test_the_page_that_was_asked_for_follows(self):
        omar = with_factor(hire())
        self.give_password(omar, next="/admin/accounts/user/")
        self.assertEqual(self.give_code(code_of(omar.secret)).headers["Location"], "/admin/accounts/user/")

    def test_a_page_elsewhere_never_follows(self):
        for place in ("https://evil.example/admin/", "//evil.example/admin/", "/\\evil.example", "/api-docs"):
            with self.subTest(place=place):
                omar = with_factor(hire(email=f"o{len(place)}@staff.example.in"))
                self.give_password(omar, next=place)
                self.assertEqual(self.give_code(code_of(omar.secret)).headers["Location"], INDEX)
                self.client.logout()

    def test_a_wrong_code_is_refused_counted_and_marked(self):
        omar = with_factor(hire())
        self.give_password(omar)
        response = self.give_code(wrong_code(omar.secret))
        self.assertContains(response, "The code is not correct.")
        self.assertOutside()
        self.assertAudited("second_factor.refused", target=omar.user)
        self.assertEqual(TotpDevice.objects.of(omar.user).guesses, 1)

    def test_after_five_tries_the_password_is_asked_for_again(self):
        omar = with_factor(hire())
        self.give_password(omar)
        for _ in range(5):
            self.give_code(wrong_code(omar.secret))
        response = self.give_code(code_of(omar.secret))
        self.assertRedirects(response, LOGIN, fetch_redirect_response=False)
        self.assertContains(self.client.get(LOGIN), "Sign in with your password again.")

    def test_after_ten_wrong_codes_in_the_hour_the_right_one_waits(self):
        omar = with_factor(hire())
        for _ in range(2):
            self.give_password(omar)
            for _ in range(5):
                self.give_code(wrong_code(omar.secret))
        self.give_password(omar)
        response = self.give_code(code_of(omar.secret))
        self.assertContains(response, "Too many wrong codes.", status_code=429)
        self.assertEqual(response.headers["Retry-After"], "3600")

    def test_a_code_works_once(self):
        omar = with_factor(hire())
        code = code_of(omar.secret)
        self.give_password(omar)
        self.give_code(code)
        self.client.post(LOGOUT)
        self.give_password(omar)
        self.assertContains(self.give_code(code), "The code is not correct.")

    def test_a_code_without_a_password_opens_nothing(self):
        omar = with_factor(hire())
        self.assertRedirects(self.give_code(code_of(omar.secret)), LOGIN, fetch_redirect_response=False)

    def test_the_wait_for_a_code_ends_after_five_minutes(self):
        omar = with_factor(hire())
        self.give_password(omar)
        self.clock.advance(seconds=301)
        response = self.give_code(code_of(omar.secret))
        self.assertRedirects(response, LOGIN, fetch_redirect_response=False)

    def test_a_key_planted_before_the_sign_in_is_void_after_it(self):
        self.client.get(LOGIN)
        omar = with_factor(hire())
        self.give_password(omar)
        planted = self.client.cookies[settings.SESSION_COOKIE_NAME].value
        self.give_code(code_of(omar.secret))
        self.assertNotEqual(self.client.cookies[settings.SESSION_COOKIE_NAME].value, planted)
        self.assertFalse(CookieSession.objects.filter(pk=planted).exists())


class Enrolment(AdminTestCase):
    """Who has no second factor sets it up at the first sign-in, and enters only then."""

    def test_the_first_sign_in_shows_a_key_and_lets_nobody_in(self):
        response = self.give_password(hire())
        self.assertContains(response, "data:image/svg+xml")
        self.assertEqual(response.headers["Cache-Control"], "max-age=0, no-cache, no-store, must-revalidate, private")
        self.assertOutside()

    def test_its_first_code_turns_the_factor_on_shows_the_recovery_codes_and_lets_in(self):
        omar = hire()
        secret = self.key_on(self.give_password(omar, next="/admin/accounts/company/"))
        response = self.client.post(SETUP, {"code": code_of(secret)})
        self.assertEqual(len(self.codes_on(response)), 10)
        self.assertContains(response, 'href="/admin/accounts/company/"')
        self.assertInside()
        self.assertAudited("second_factor.enabled", actor=omar.user)

    def test_the_code_may_be_typed_with_its_space(self):
        secret = self.key_on(self.give_password(hire()))
        code = code_of(secret)
        self.client.post(SETUP, {"code": f" {code[:3]} {code[3:]} "})
        self.assertInside()

    def test_a_wrong_code_is_refused_and_the_key_is_not_shown_again(self):
        omar = hire()
        secret = self.key_on(self.give_password(omar))
        response = self.client.post(SETUP, {"code": wrong_code(secret)})
        self.assertContains(response, "The code is not valid.")
        self.assertNotContains(response, "data:image/svg")
        self.assertAudited("second_factor.refused", target=omar.user)
        self.assertOutside()
        self.client.post(SETUP, {"code": code_of(secret)})
        self.assertInside()

    def test_starting_again_voids_the_first_key(self):
        omar = hire()
        first = self.key_on(self.give_password(omar))
        second = self.key_on(self.give_password(omar))
        self.client.post(SETUP, {"code": code_of(first)})
        self.assertOutside()
        self.client.post(SETUP, {"code": code_of(second)})
        self.assertInside()

    def test_who_is_erased_between_the_factor_and_the_door_stays_outside_and_nothing_is_known_of_them(self):
        omar = hire()
        secret = self.key_on(self.give_password(omar))

        def confirmed(**given):
            codes = confirm_setup(**given)
            erase(who=omar.user.email, reason="TICKET-1", operator="asha")
            return codes

        with mock.patch("accounts.admin_site.confirm_setup", side_effect=confirmed):
            response = self.client.post(SETUP, {"code": code_of(secret)})
        self.assertContains(response, "This session is not known or has reached its end.")
        self.assertOutside()
        self.assertEqual(Session.objects.get().amr, "pwd")
        self.assertFalse(KnownDevice.objects.exists())

    def test_it_waits_fifteen_minutes(self):
        secret = self.key_on(self.give_password(hire()))
        self.clock.advance(seconds=901)
        self.client.post(SETUP, {"code": code_of(secret)})
        self.assertOutside()

    def test_it_is_over_once_the_persons_sign_ins_were_voided(self):
        omar = hire()
        secret = self.key_on(self.give_password(omar))
        User.objects.filter(pk=omar.user.pk).update(token_version=7)
        response = self.client.post(SETUP, {"code": code_of(secret)})
        self.assertRedirects(response, LOGIN, fetch_redirect_response=False)
        self.assertFalse(TotpDevice.objects.filter(confirmed=True).exists())

    def test_without_a_sign_in_there_is_nothing_to_set_up(self):
        self.assertRedirects(self.client.get(SETUP), LOGIN, fetch_redirect_response=False)
        response = self.client.post(SETUP, {"code": "123456"})
        self.assertRedirects(response, LOGIN, fetch_redirect_response=False)

    def test_a_recovery_code_opens_the_next_sign_in_once(self):
        omar = hire()
        secret = self.key_on(self.give_password(omar))
        codes = self.codes_on(self.client.post(SETUP, {"code": code_of(secret)}))
        for expected in (302, 200):
            self.client.post(LOGOUT)
            self.give_password(omar)
            self.assertEqual(self.give_code(codes[0]).status_code, expected)
        self.assertAudited("recovery_code.used", target=omar.user)
