"""Lock-out and the devices an owner signs in from."""

from unittest import mock

from django.test import override_settings

from security.limits import parking
from security.lockout import purge_devices
from security.lockout.models import KnownDevice
from tests.accounts.registration.test_register import a_registration
from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha, bilal

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
HOME = {"REMOTE_ADDR": "192.0.2.10", "headers": {"User-Agent": FIREFOX}}


class KnownDevices(ApiTestCase):
    """Nobody can lock an owner out of the device they signed in from lately (A15)."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.asha = asha()

    def guess(self, times, *, password="Wrong-Guess-11", **extra):
        body = {"email": self.asha.email, "password": password}
        return [self.post("/api/auth/login", body, **(HOME | extra)) for _ in range(times)]

    def statuses(self, answers):
        return [answer.status_code for answer in answers]

    def lock_from_everywhere(self):
        for number in range(1, 11):
            self.guess(5, REMOTE_ADDR=f"198.51.100.{number}")

    def test_a_stranger_locks_everyone_but_the_owner_at_home(self):
        self.log_in(self.asha, **HOME)
        self.lock_from_everywhere()
        locked = self.guess(1, password=PASSWORD, REMOTE_ADDR="203.0.113.5")[0]
        self.assertProblem(locked, 429, "ACCOUNT_LOCKED")
        self.assertEqual(self.statuses(self.guess(2, password=PASSWORD)), [200, 200])

    def test_after_five_wrong_ones_the_right_one_still_counts_at_home(self):
        self.log_in(self.asha, **HOME)
        self.assertEqual(self.statuses(self.guess(5)), [401] * 5)
        self.assertEqual(self.guess(1, password=PASSWORD)[0].status_code, 200)

    def test_whoever_registered_here_is_at_home(self):
        body = a_registration()
        self.assertEqual(self.post("/api/auth/register", body, **HOME).status_code, 201)
        guess = {"email": body["adminEmail"], "password": "Wrong-Guess-11"}
        for _ in range(5):
            self.assertEqual(self.post("/api/auth/login", guess, **HOME).status_code, 401)
        right = guess | {"password": body["password"]}
        self.assertEqual(self.post("/api/auth/login", right, **HOME).status_code, 200)

    def test_without_a_sign_in_before_it_does_not(self):
        self.guess(5)
        locked = self.guess(1, password=PASSWORD)[0]
        self.assertProblem(locked, 429, "ACCOUNT_LOCKED")
        self.assertEqual(locked["RateLimit-Policy"], '"auth";q=5;w=900')
        self.assertEqual(locked["RateLimit"], f'"auth";r=0;t={locked["Retry-After"]}')

    def test_a_known_device_has_ten_more_and_then_waits_as_well(self):
        self.log_in(self.asha, **HOME)
        self.assertEqual(self.statuses(self.guess(16)), [401] * 15 + [429])
        self.clock.advance(seconds=901)
        self.assertEqual(self.guess(1, password=PASSWORD)[0].status_code, 200)

    @override_settings(LOCKOUT_ADDRESS_LIMIT=15)
    def test_known_devices_of_one_network_are_counted_together(self):
        colleagues = [self.asha, *(bilal(company=self.asha.company) for _ in range(4))]
        for colleague in colleagues:
            self.log_in(colleague, **HOME)
        evaluated = 0
        for colleague in colleagues:
            body = {"email": colleague.email, "password": "Wrong-Guess-11"}
            evaluated += sum(self.post("/api/auth/login", body, **HOME).status_code == 401 for _ in range(20))
        self.assertEqual(evaluated, 15 + 30)

    def test_another_program_or_network_is_another_device(self):
        self.log_in(self.asha, **HOME)
        self.lock_from_everywhere()
        for other in ({"headers": {"User-Agent": "curl/8"}}, {"REMOTE_ADDR": "192.0.2.11"}):
            self.assertProblem(self.guess(1, password=PASSWORD, **other)[0], 429, "ACCOUNT_LOCKED")

    def test_it_is_forgotten_after_thirty_days(self):
        self.log_in(self.asha, **HOME)
        self.clock.advance(seconds=30 * 24 * 3600)
        self.guess(5)
        self.assertEqual(self.guess(1, password=PASSWORD)[0].status_code, 429)
        self.assertEqual((purge_devices(), KnownDevice.objects.count()), (1, 0))

    def test_a_changed_password_trusts_no_device_any_more(self):
        token = self.log_in(self.asha, **HOME)["accessToken"]
        body = {"currentPassword": PASSWORD, "newPassword": "Heron-Delta-58-Quay"}
        self.assertEqual(self.post("/api/auth/change-password", body, token=token).status_code, 200)
        self.assertFalse(KnownDevice.objects.exists())

    def test_the_table_tells_neither_who_nor_where(self):
        self.log_in(self.asha, **HOME)
        row = KnownDevice.objects.values().get()
        self.assertRegex(f"{row['key']} {row['account']}", r"\A[0-9a-f]{64} [0-9a-f]{64}\Z")


@override_settings(SLOW_DOWN=True)
class Delay(ApiTestCase):
    """From the third wrong password on, answers come later; a right one never does."""

    def setUp(self):
        super().setUp()
        sleep = mock.patch.object(parking.time, "sleep")
        self.sleep = sleep.start()
        self.addCleanup(sleep.stop)
        self.asha = asha()

    def test_it_grows_and_is_the_same_for_an_unknown_address(self):
        for email in (self.asha.email, "nobody@lotus.example.in"):
            self.sleep.reset_mock()
            for _ in range(5):
                self.post("/api/auth/login", {"email": email, "password": "Wrong-Guess-11"})
            self.assertEqual([call.args[0] for call in self.sleep.call_args_list], [0.25, 0.5, 0.5])

    def test_a_right_password_is_not_held_back(self):
        for _ in range(2):
            self.post("/api/auth/login", {"email": self.asha.email, "password": "Wrong-Guess-11"})
        self.log_in(self.asha)
        self.sleep.assert_not_called()
