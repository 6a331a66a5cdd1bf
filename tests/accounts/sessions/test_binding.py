"""What holds a session to the client that opened it."""

from django.db import connection
from django.test import override_settings

from accounts.sessions.models import EndReason, Session
from tests.base import ApiTestCase
from tests.factories import asha

CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
NEWER_CHROME = CHROME.replace("142.0", "143.0")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Bound(ApiTestCase):
    def setUp(self):
        super().setUp()
        self.asha = asha()
        self.pair = self.log_in(self.asha, headers={"User-Agent": CHROME}, REMOTE_ADDR="192.0.2.10")

    def me_with(self, agent, address="192.0.2.10"):
        headers = {"User-Agent": agent} if agent else {}
        return self.get("/api/auth/me", token=self.pair["accessToken"], headers=headers, REMOTE_ADDR=address)

    def refresh_with(self, agent, address="192.0.2.10"):
        body = {"refreshToken": self.pair["refreshToken"]}
        return self.post("/api/auth/refresh", body, headers={"User-Agent": agent}, REMOTE_ADDR=address)


class ClientFamily(Bound):
    """A session used by another kind of program ends, at once and for both (A16)."""

    def test_the_same_program_goes_on_when_it_is_updated(self):
        self.assertEqual(self.me_with(NEWER_CHROME).status_code, 200)
        self.assertEqual(self.refresh_with(NEWER_CHROME).status_code, 200)

    def test_another_program_is_refused_and_the_session_is_over(self):
        self.assertProblem(self.me_with(FIREFOX), 401, "TOKEN_REVOKED")
        self.assertProblem(self.me_with(CHROME), 401, "TOKEN_REVOKED")
        self.assertProblem(self.refresh_with(CHROME), 401, "REFRESH_TOKEN_REVOKED")
        self.assertEqual(Session.objects.get().end_reason, EndReason.CLIENT_CHANGED)
        self.assertAudited("session.ended", actor=self.asha)

    def test_a_refresh_by_another_program_gets_nothing(self):
        self.assertProblem(self.refresh_with(FIREFOX), 401, "REFRESH_TOKEN_REVOKED")
        self.assertProblem(self.refresh_with(FIREFOX), 401, "REFRESH_TOKEN_REVOKED")
        self.assertProblem(self.me_with(CHROME), 401, "TOKEN_REVOKED")
        self.assertAudited("session.ended", actor=self.asha)

    def test_a_program_that_does_not_name_itself_proves_nothing(self):
        for agent in ("", "ledger-sync/2.1"):
            with self.subTest(agent):
                self.assertEqual(self.me_with(agent).status_code, 200)

    @override_settings(SESSION_BINDING="off")
    def test_it_can_be_switched_off(self):
        self.assertEqual(self.me_with(FIREFOX).status_code, 200)
        self.assertEqual(self.refresh_with(FIREFOX, "198.51.100.7").status_code, 200)
        self.assertAudited("session.network_changed", times=0)


class Network(Bound):
    """Another network is told once, and ends the session only in strict mode (A16)."""

    def test_a_move_is_told_once_and_the_session_goes_on(self):
        for _ in range(2):
            answer = self.refresh_with(CHROME, "198.51.100.7")
            self.assertEqual(answer.status_code, 200)
            self.pair = answer.json()
        self.assertAudited("session.network_changed", actor=self.asha)
        listed = self.get("/api/auth/sessions", token=self.pair["accessToken"]).json()["results"]
        self.assertEqual(listed[0]["address"], "198.51.100.7")

    def test_another_address_of_the_same_subscriber_is_no_move(self):
        self.pair = self.log_in(self.asha, headers={"User-Agent": CHROME}, REMOTE_ADDR="2001:db8:1:2::3")
        self.assertEqual(self.refresh_with(CHROME, "2001:db8:1:2:ffff::9").status_code, 200)
        self.assertAudited("session.network_changed", times=0)

    @override_settings(SESSION_BINDING="strict")
    def test_strict_mode_ends_the_session(self):
        self.assertProblem(self.refresh_with(CHROME, "198.51.100.7"), 401, "REFRESH_TOKEN_REVOKED")
        self.assertProblem(self.refresh_with(CHROME), 401, "REFRESH_TOKEN_REVOKED")
        self.assertEqual(Session.objects.get().end_reason, EndReason.NETWORK_CHANGED)

    def test_a_refresh_from_the_same_network_costs_no_further_statement(self):
        statements = 2 if connection.vendor == "postgresql" else 4
        with self.assertNumQueries(statements + 2):  # and the test's savepoint and its release
            self.refresh_with(CHROME)
