"""Changing a password through its URL."""

from unittest import mock

from django.contrib.auth.hashers import make_password

from accounts.identity.models import User
from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha, bilal

CHANGE = "/api/auth/change-password"
NEW = "Another-Harvest-58"


class ChangePassword(ApiTestCase):
    """You need the present password; every other session ends, this one goes on."""

    def change(self, token, **members):
        return self.post(CHANGE, {"currentPassword": PASSWORD, "newPassword": NEW} | members, token=token)

    def test_the_new_one_signs_in_and_the_old_one_does_not(self):
        person = asha()
        response = self.change(self.log_in(person)["accessToken"], confirmPassword=NEW)
        self.assertEqual(response.status_code, 200, response.content)
        self.log_in(person, NEW)
        refused = self.post("/api/auth/login", {"email": person.email, "password": PASSWORD})
        self.assertProblem(refused, 401, "INVALID_CREDENTIALS")
        self.assertAudited("password.changed", actor=person, target=person)

    def test_every_other_session_ends_and_this_one_goes_on(self):
        person = asha()
        other, here = self.log_in(person), self.log_in(person)
        colleague = self.log_in(bilal(company=person.company))
        self.change(here["accessToken"])
        self.assertProblem(self.me(other["accessToken"]), 401, "TOKEN_REVOKED")
        self.assertProblem(self.refresh(other["refreshToken"]), 401, "REFRESH_TOKEN_REVOKED")
        self.assertEqual(self.me(here["accessToken"]).status_code, 200)
        self.assertEqual(self.refresh(here["refreshToken"]).status_code, 200)
        self.assertEqual(self.me(colleague["accessToken"]).status_code, 200)

    def test_a_wrong_present_password_is_400_counted_and_marked(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        for _ in range(5 + 10):  # as a stranger, and then on the device that signed in
            self.assertProblem(self.change(token, currentPassword="wrong"), 400, "INVALID_CURRENT_PASSWORD")
        self.assertProblem(self.change(token), 429, "ACCOUNT_LOCKED")
        self.assertAudited("password.change_refused", times=15, actor=person)
        self.assertTrue(User.objects.get(pk=person.pk).check_password(PASSWORD))

    def test_a_change_that_another_one_overtook_is_refused_and_marked(self):
        person = asha()
        token = self.log_in(person)["accessToken"]

        def overtaken(*args):
            User.objects.filter(pk=person.pk).update(password="overtaken")
            return make_password(*args)

        with mock.patch("accounts.passwords.services.make_password", overtaken):
            self.assertProblem(self.change(token), 400, "INVALID_CURRENT_PASSWORD")
        self.assertAudited("password.change_refused", actor=person)
        self.assertEqual(User.objects.get(pk=person.pk).password, "overtaken")

    def test_a_weak_or_unconfirmed_new_one_is_a_field_error_and_changes_nothing(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        self.assertProblem(self.change(token, newPassword="short"), 400, "VALIDATION_FAILED", field="newPassword")
        self.assertProblem(
            self.change(token, confirmPassword=NEW + "x"), 400, "VALIDATION_FAILED", field="confirmPassword"
        )
        self.assertTrue(User.objects.get(pk=person.pk).check_password(PASSWORD))

    def test_it_needs_a_sign_in(self):
        self.assertProblem(self.post(CHANGE, {}), 401, "NO_TOKEN")
