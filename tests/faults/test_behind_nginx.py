"""Slow clients by the hundred before the proxy that we tell operators to use."""

import pytest

from tests.faults.client import Client
from tests.faults.crowd import guess
from tests.faults.form import LONG, TIMEOUT_SECONDS, report, spread_ms
from tests.faults.limited import LOCK, WRONG
from tests.faults.proxy import Proxy
from tests.faults.slow import SlowClients
from tests.faults.stand import EmbeddedCase
from tests.faults.traffic import ME, Traffic, Visitor

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.timeout(TIMEOUT_SECONDS),
    pytest.mark.skipif(not LONG, reason="a minute and a half, with nginx: KOSHFLOW_FAULTS=long"),
    pytest.mark.nginx,
]

SLOW_CLIENTS = 200
SECONDS, BASELINE_SECONDS = 60, 20
GUESSER = 140


class Reader(Visitor):
    """Looks at their own account again and again."""

    def step(self) -> None:
        self.ask(ME, token=self.person.access)


class BehindNginx(EmbeddedCase):
    """The proxy waits for the slow, and tells the server who is behind it, whatever they claim (R9)."""

    def setUp(self):
        super().setUp()
        project = self.stand.with_environment(TRUSTED_PROXIES="127.0.0.1/32")
        self.server = self.serve(project)
        self.proxy = self.enterContext(
            Proxy(server_port=self.server.port, folder=project.folder / f"nginx-{self.server.port}")
        )

    def test_a_forged_address_is_not_passed_on(self):
        [person] = self.stand.people(1)
        with Client(self.proxy.port, number=GUESSER, forges=True) as client:
            codes = [guess(client, person, WRONG, token=person.access).code for _ in range(LOCK + 2)]
        self.assertEqual(codes, ["INVALID_CREDENTIALS"] * LOCK + ["ACCOUNT_LOCKED"] * 2)
        with Client(self.proxy.port, number=GUESSER + 1, forges=True) as client:  # and addresses are told apart
            self.assertEqual(guess(client, person, person.password, token=person.access).status, 200)

    def test_two_hundred_slow_clients_move_nobody(self):
        people = self.stand.people(4)
        visitors = [Reader(person, port=self.proxy.port, number=GUESSER + 2) for person in people]
        with Traffic(visitors) as traffic:
            traffic.go_on(BASELINE_SECONDS)
            alone = traffic.answers
            with SlowClients(self.proxy.port, count=SLOW_CLIENTS) as slow:
                traffic.go_on(SECONDS)
                beside = traffic.answers
        before, among = spread_ms([a.seconds for a in alone]), spread_ms([a.seconds for a in beside[len(alone) :]])
        refused = sorted({(a.status, a.code or a.error) for a in traffic.answers if a.status != 200})
        factor = round(among["p99"] / before["p99"], 2)
        report(
            "R9 slow clients behind nginx",
            load=f"{SLOW_CLIENTS} slow heads and bodies for {SECONDS} s ({slow.begun} connections), 4 clients",
            measured={"alone_ms": before, "among_ms": among, "p99_factor": factor, "not_200": refused},
            bar="p99 of the others at most twice that before; 0 other than 200",
            is_passed=factor <= 2 and not refused,
        )
        self.assertEqual(refused, [])
        self.assertGreater(slow.begun, SLOW_CLIENTS)  # the proxy sent some away, and they came again
