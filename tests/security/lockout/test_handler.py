"""Axes' face: its signals and questions are answered by our counters, its commands are refused."""

from axes.handlers.proxy import AxesProxyHandler
from axes.signals import user_locked_out
from axes.utils import reset
from django.core.management import CommandError, call_command, get_commands
from django.test import RequestFactory, TestCase

from security.context import Client, RequestContext, bind
from security.errors import AccountLocked
from security.lockout import reserve
from security.lockout.handler import ReservingHandler, client_address

ASHA, BILAL = "asha@example.in", "bilal@example.in"
OFFICE, ELSEWHERE = "203.0.113.9", "198.51.100.7"
ARGUMENTS = {
    "axes_reset": [],
    "axes_reset_failure_logs": [],
    "axes_reset_ip": [OFFICE],
    "axes_reset_ip_username": [OFFICE, ASHA],
    "axes_reset_logs": [],
    "axes_reset_username": [ASHA],
}


def lock(account: str, address: str = OFFICE) -> None:
    try:
        while True:
            reserve(account=account, address=address)
    except AccountLocked:
        return


class AxesHandlerCase(TestCase):
    """A request from the office is being served."""

    def setUp(self):
        self.enterContext(bind(RequestContext(request_id="r", client=Client(address=OFFICE, user_agent=""))))
        self.handler = ReservingHandler()
        # What the client claims about itself in headers is not who it is.
        self.request = RequestFactory().post("/admin/login/", REMOTE_ADDR=ELSEWHERE, HTTP_X_FORWARDED_FOR="192.0.2.1")

    def is_allowed(self, account: str) -> bool:
        return self.handler.is_allowed(self.request, {"username": account})


class AxesQuestions(AxesHandlerCase):
    """Axes asks; the counters answer, and asking counts nothing."""

    def test_the_setting_names_this_handler(self):
        self.assertIsInstance(AxesProxyHandler.get_implementation(force=True), ReservingHandler)

    def test_a_locked_account_is_not_allowed_and_the_neighbour_is(self):
        lock(ASHA)
        self.assertFalse(self.is_allowed(ASHA))
        self.assertTrue(self.is_allowed(BILAL))

    def test_e_mail_serves_as_user_name(self):
        lock(ASHA)
        self.assertFalse(self.handler.is_allowed(self.request, {"email": ASHA}))

    def test_asking_counts_nothing(self):
        for _ in range(10):
            self.is_allowed(ASHA)
        self.assertEqual(self.handler.get_failures(self.request, {"username": ASHA}), 0)

    def test_the_failure_signal_does_not_count_again(self):
        reserve(account=ASHA, address=OFFICE)
        self.handler.user_login_failed(self, {"username": ASHA}, self.request)
        self.assertEqual(self.handler.get_failures(self.request, {"username": ASHA}), 1)

    def test_the_address_is_the_contexts(self):
        lock(ASHA, ELSEWHERE)
        self.assertTrue(self.is_allowed(ASHA))
        self.assertEqual(client_address(self.request), OFFICE)


class AxesSignal(AxesHandlerCase):
    """Listeners of axes hear of a failure that leaves an account locked."""

    def setUp(self):
        super().setUp()
        self.heard = []

        def receiver(username, ip_address, **_):
            self.heard.append((username, ip_address))

        user_locked_out.connect(receiver, weak=False)
        self.addCleanup(user_locked_out.disconnect, receiver)

    def test_locked_out_is_told_with_the_last_failure_only(self):
        for _ in range(5):
            reserve(account=ASHA, address=OFFICE)
            self.handler.user_login_failed(self, {"username": ASHA}, self.request)
        self.assertEqual(self.heard, [(ASHA, OFFICE)])


class AxesCommands(AxesHandlerCase):
    """Axes' own commands would lift a lock-out without a mark: each refuses, and names the command that leaves one."""

    def test_each_refuses_in_one_line_and_lifts_nothing(self):
        lock(ASHA)
        resets = sorted(name for name, app in get_commands().items() if app == "axes" and "reset" in name)
        self.assertEqual(set(ARGUMENTS), set(resets))
        for name in resets:
            with self.subTest(name), self.assertRaises(CommandError) as refused:
                call_command(name, *ARGUMENTS[name])
            self.assertIn("manage.py account_unlock EMAIL", str(refused.exception))
            self.assertNotIn("\n", str(refused.exception))
        self.assertFalse(self.is_allowed(ASHA))

    def test_so_does_code_that_asks_axes(self):
        lock(ASHA)
        with self.assertRaises(CommandError):
            reset(username=ASHA)
        self.assertFalse(self.is_allowed(ASHA))
