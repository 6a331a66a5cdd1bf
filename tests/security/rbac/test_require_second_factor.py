"""REQUIRE_2FA: staff (the default) leaves people of companies their choice; all asks everybody for a second factor."""

from django.conf import settings
from django.test import override_settings
from django.urls import reverse

from tests.accounts.twofactor.authenticator import SETUP, STATE, VERIFY, SecondFactorMixin, code_of
from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha

CHANGE = {"currentPassword": PASSWORD, "newPassword": "Cardamom-Ledger-58"}


class Staff(ApiTestCase):
    """The default asks nothing of people of companies."""

    def test_a_person_without_a_second_factor_may_do_everything(self):
        token = self.log_in(asha())["accessToken"]
        self.assertEqual(self.get("/api/auth/sessions", token=token).status_code, 200)


@override_settings(REQUIRE_2FA="all")
class All(SecondFactorMixin, ApiTestCase):
    """Without a second factor a person reaches themselves, its set-up, and the way out (ASVS 6.3.3)."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.stop_the_clock()
        self.person = asha()
        self.token = self.log_in(self.person)["accessToken"]

    def test_everything_else_is_refused(self):
        for response in (
            self.get("/api/auth/sessions", token=self.token),
            self.send("delete", "/api/auth/sessions", token=self.token),
            self.post("/api/auth/change-password", CHANGE, token=self.token),
        ):
            self.assertProblem(response, 403, "2FA_SETUP_REQUIRED")

    def test_me_and_the_state_of_the_factor_are_open(self):
        for path in ("/api/auth/me", STATE):
            self.assertEqual(self.get(path, token=self.token).status_code, 200)

    def test_logging_out_is_open(self):
        self.assertEqual(self.post("/api/auth/logout", token=self.token).status_code, 200)

    def test_setting_it_up_opens_the_rest_at_once(self):
        secret = self.post(SETUP, {"password": PASSWORD}, token=self.token).json()["secret"]
        self.assertProblem(self.get("/api/auth/sessions", token=self.token), 403, "2FA_SETUP_REQUIRED")
        self.assertEqual(self.post(VERIFY, {"token": code_of(secret)}, token=self.token).status_code, 200)
        self.assertEqual(self.get("/api/auth/sessions", token=self.token).status_code, 200)

    def test_without_a_sign_in_the_answer_is_about_the_sign_in(self):
        self.assertProblem(self.get("/api/auth/sessions"), 401, "NO_TOKEN")

    def test_every_route_that_is_left_open_exists(self):
        for name in settings.OPEN_BEFORE_SECOND_FACTOR:
            self.assertTrue(reverse(name).startswith("/api/auth/"))
