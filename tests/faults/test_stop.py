"""The server is asked to end, or to replace its workers, while people use it."""

import os
import signal
import time

import pytest

from tests.faults.form import TIMEOUT_SECONDS, report, sized
from tests.faults.stand import RealCase
from tests.faults.traffic import ME, Traffic, Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(TIMEOUT_SECONDS)]

CLIENTS = 4  # of each kind


class Looker(Visitor):
    """Asks on a kept-alive connection."""

    def step(self) -> None:
        self.ask(ME, token=self.person.access)


class Newcomer(Visitor):
    """Asks on a new connection each time, as a proxy without keep-alive does."""

    def step(self) -> None:
        self.ask(ME, token=self.person.access)
        self.client.close()


class Prober(Visitor):
    """Asks as a balancer does, on a connection of its own."""

    path = "/health/ready"

    def step(self) -> None:
        self.ask(self.path)
        self.client.close()


class Signalled(RealCase):
    """Whoever was let in is answered, before the signal and after it; who comes too late is refused (R17).

    Nobody is told that the host drains, which it does not here; see `test_drain`.
    """

    def traffic_of(self, server):
        kinds = [Looker] * CLIENTS + [Newcomer] * CLIENTS + [Prober]
        people = self.stand.people(len(kinds))
        return Traffic([kind(p, port=server.port, number=40) for kind, p in zip(kinds, people, strict=True)])

    def test_the_end(self):
        server = self.serve()
        with self.traffic_of(server) as traffic:
            traffic.go_on(sized(1, 10))
            told_at = time.monotonic()
            os.kill(server.pid, signal.SIGTERM)
            has_ended = traffic.until(lambda: server.has_ended, seconds=30)
            seconds = time.monotonic() - told_at
        answers = traffic.answers
        dropped = [a for a in answers if a.status == 0 and a.error != "ConnectionRefusedError"]
        wrong = sorted({(a.status, a.code) for a in answers if a.status not in (0, 200)})
        report(
            "R17 SIGTERM",
            load=f"{2 * CLIENTS + 1} clients, {sum(a.status == 200 for a in answers)} answers",
            measured={
                "dropped": len(dropped),
                "of_them_sent_before_the_signal": sum(a.sent_at < told_at for a in dropped),
                "seconds_to_end": round(seconds, 2),
            },
            bar="0 dropped: each connection that was let in is answered",
            is_passed=has_ended and not dropped and not wrong,
        )
        self.assertTrue(has_ended)
        self.assertEqual((dropped, wrong), ([], []))

    def test_new_workers_under_an_open_door(self):
        server = self.serve()
        old = set(server.workers)
        with self.traffic_of(server) as traffic:
            traffic.go_on(sized(1, 10))
            os.kill(server.pid, signal.SIGHUP)
            replaced = traffic.until(lambda: not old & set(server.workers) and len(server.workers) == 2, seconds=60)
            traffic.go_on(sized(1, 10))
        answers = traffic.answers
        wrong = [(a.status, a.code or a.error) for a in answers if a.status != 200]
        report(
            "R17 SIGHUP",
            load=f"{2 * CLIENTS + 1} clients, {len(answers)} requests",
            measured={"not_200": wrong, "workers_replaced": replaced},
            bar="0 other than 200, all workers replaced",
            is_passed=replaced and not wrong,
        )
        self.assertTrue(replaced)
        self.assertEqual(wrong, [])
