"""Staff who come to the admin from somewhere new."""

from django.test import Client

from tests.accounts.admin.door import SETUP, AdminTestCase, hire, with_factor
from tests.accounts.twofactor.authenticator import code_of, wrong_code


class UnknownDevice(AdminTestCase):
    """Both factors from a device that the account has not been seen on for 30 days leave an event of their own."""

    WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15"
    AT_HOME = {
        "REMOTE_ADDR": "203.0.113.7",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0",
    }
    ELSEWHERE = {"REMOTE_ADDR": "198.51.100.9"}
    ANOTHER = {"HTTP_USER_AGENT": f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT}"}

    def come_from(self, **device):
        self.client = Client(**device)
        self.pass_the_door(self.omar)

    def test_it_is_told_once_a_device_and_again_after_thirty_days(self):
        self.omar = with_factor(hire())
        for device, times in (
            (self.AT_HOME, 1),
            (self.AT_HOME, 1),
            (self.AT_HOME | self.ELSEWHERE, 2),
            (self.AT_HOME | self.ANOTHER, 3),
            (self.AT_HOME, 3),
        ):
            self.come_from(**device)
            self.assertAudited("staff.device_unknown", actor=self.omar.user, times=times)
        self.clock.advance(seconds=31 * 24 * 3600)
        self.come_from(**self.AT_HOME)
        self.assertAudited("staff.device_unknown", actor=self.omar.user, times=4)

    def test_a_password_alone_and_a_wrong_code_tell_nothing(self):
        omar = with_factor(hire())
        self.give_password(omar)
        self.give_code(wrong_code(omar.secret))
        self.assertAudited("staff.device_unknown", times=0)

    def test_the_first_sign_in_of_all_is_the_creation_s_to_tell(self):
        page = self.give_password(hire())
        self.client.post(SETUP, {"code": code_of(self.key_on(page))})
        self.assertInside()
        self.assertAudited("staff.device_unknown", times=0)
