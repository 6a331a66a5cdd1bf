"""How a stay in the admin ends: unused, by age, by leaving, and by whatever ends a person's sessions."""

from django.conf import settings

from accounts.sessions.models import EndReason, Session
from accounts.sessions.services import end_everything
from accounts.staff.admin_sessions import living_admin_session, open_enrolment
from accounts.twofactor.models import TotpDevice
from tests.accounts.admin.door import INDEX, LOGIN, LOGOUT, AdminTestCase
from tests.accounts.twofactor.authenticator import code_of
from tests.factories import a_company

MINUTE = 60
HOUR = 3600


class Ends(AdminTestCase):
    """30 minutes unused, 12 hours in all (ASVS 7.3.1, 7.3.2); and at once when the person's sessions end."""

    def test_half_an_hour_unused_ends_it(self):
        self.enter()
        self.clock.advance(seconds=30 * MINUTE + 1)
        self.assertOutside()

    def test_use_keeps_it_open(self):
        self.enter()
        for _ in range(4):
            self.clock.advance(seconds=20 * MINUTE)
            self.assertInside()

    def test_twelve_hours_end_it_however_much_it_is_used(self):
        self.enter()
        for _ in range(35):
            self.clock.advance(seconds=20 * MINUTE)
            self.assertInside()
        self.clock.advance(seconds=20 * MINUTE)
        self.assertOutside()

    def test_use_is_written_at_most_once_a_minute(self):
        self.enter()
        self.clock.advance(seconds=61)
        self.assertInside()
        noted = Session.objects.get().rotated_at
        self.clock.advance(seconds=59)
        self.assertInside()
        self.assertEqual(Session.objects.get().rotated_at, noted)

    def test_the_door_says_that_it_ended(self):
        omar = self.enter()
        end_everything(user=omar.user, reason=EndReason.LOGOUT_ALL)
        self.assertOutside()
        self.assertContains(self.client.get(LOGIN), "Your session has ended. Sign in again.")

    def test_logging_out_ends_it_in_the_database(self):
        omar = self.enter()
        kept = self.client.cookies["sessionid"].value
        response = self.client.post(LOGOUT)
        self.assertRedirects(response, LOGIN, fetch_redirect_response=False)
        self.assertIn('"cookies"', response.headers["Clear-Site-Data"])
        self.assertAudited("session.ended", actor=omar.user)
        self.client.cookies["sessionid"] = kept
        self.assertOutside()

    def test_a_link_cannot_log_out(self):
        self.enter()
        self.assertProblem(self.client.get(LOGOUT), 405, "METHOD_NOT_ALLOWED")
        self.assertInside()

    def test_every_page_has_the_button_to_log_out(self):
        self.enter()
        for path in (INDEX, "/admin/accounts/user/", "/admin/password_change/"):
            self.assertContains(self.client.get(path), f'action="{LOGOUT}"')

    def test_a_deactivated_person_is_out_at_once(self):
        omar = self.enter()
        omar.user.is_active = False
        omar.user.save(update_fields=["is_active"])
        self.assertOutside()

    def test_who_is_no_longer_staff_is_out_at_once(self):
        omar = self.enter()
        type(omar.user).objects.filter(pk=omar.user.pk).update(is_staff=False, role="VIEWER", company=a_company())
        self.assertOutside()

    def test_who_lost_the_second_factor_is_out_at_once(self):
        omar = self.enter()
        TotpDevice.objects.filter(user=omar.user).delete()
        self.assertOutside()

    def test_ending_the_session_over_the_api_ends_the_stay(self):
        omar = self.enter()
        answer = self.post(
            "/api/auth/login",
            {"email": omar.user.email, "password": omar.password, "twoFactorCode": code_of(omar.secret)},
        )
        self.send("delete", "/api/auth/sessions", token=answer.json()["accessToken"])
        self.assertOutside()

    def test_a_raised_token_version_ends_even_a_row_that_nobody_revoked(self):
        omar = self.enter()
        type(omar.user).objects.filter(pk=omar.user.pk).update(token_version=2)
        self.assertOutside()

    def test_an_enrolment_is_no_stay(self):
        omar = self.enter()
        enrolment = open_enrolment(user=omar.user)
        self.assertIsNone(living_admin_session(user=omar.user, session_id=enrolment.pk))

    def test_a_session_of_the_api_is_none_of_the_admin(self):
        omar = self.enter()
        Session.objects.all().delete()
        self.post(
            "/api/auth/login",
            {"email": omar.user.email, "password": omar.password, "twoFactorCode": code_of(omar.secret)},
        )
        self.assertOutside()


class OwnPassword(AdminTestCase):
    """Staff change their own password by the API's rules; every other session ends, this one goes on."""

    PAGE = "/admin/password_change/"
    NEW = "Cardamom-Ledger-58"

    def change(self, old: str, new: str, again: str | None = None):
        fields = {"current_password": old, "new_password": new, "new_password_again": new if again is None else again}
        return self.client.post(self.PAGE, fields)

    def test_the_right_one_changes_it_and_the_stay_goes_on(self):
        omar = self.enter()
        self.assertRedirects(self.change(omar.password, self.NEW), INDEX, fetch_redirect_response=False)
        omar.user.refresh_from_db()
        self.assertTrue(omar.user.check_password(self.NEW))
        self.assertAudited("password.changed", actor=omar.user)
        self.assertInside()

    def test_a_wrong_one_changes_nothing_counts_and_is_marked(self):
        omar = self.enter()
        self.assertContains(self.change("wrong", self.NEW), "The current password is not correct.")
        self.assertAudited("password.change_refused", actor=omar.user)
        for _ in range(settings.LOCKOUT_LIMIT + settings.LOCKOUT_DEVICE_LIMIT - 1):  # of this known device
            self.change("wrong", self.NEW)
        self.assertEqual(self.change(omar.password, self.NEW).status_code, 429)

    def test_a_weak_new_one_is_refused_with_every_reason(self):
        omar = self.enter()
        response = self.change(omar.password, "password")
        for reason in ("Use at least one upper-case letter.", "Use a password that is less common."):
            self.assertContains(response, reason)
        self.assertNotContains(response, 'value="password"')
        omar.user.refresh_from_db()
        self.assertTrue(omar.user.check_password(omar.password))

    def test_two_different_new_ones_are_refused(self):
        omar = self.enter()
        self.assertContains(self.change(omar.password, self.NEW, self.NEW + "x"), "The two new passwords differ.")

    def test_another_stay_of_the_same_person_ends(self):
        omar = self.enter()
        first = self.client
        self.client = type(first)(raise_request_exception=False)
        self.pass_the_door(omar)
        self.change(omar.password, self.NEW)
        self.assertInside()
        self.client = first
        self.assertOutside()
