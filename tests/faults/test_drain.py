"""A balancer that asks `/health/ready` learns of the end before the door closes, and of no end where there is none."""

import os
import signal
import time

import pytest

from tests.faults.client import Client
from tests.faults.form import TIMEOUT_SECONDS, report
from tests.faults.stand import EmbeddedCase, FaultCase, RealCase
from tests.faults.test_stop import Looker, Newcomer, Prober
from tests.faults.traffic import ME, Traffic
from tests.server import Server
from tests.waiting import until

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

LIVE, READY = "/health/live", "/health/ready"
DRAIN_SECONDS = 2
LONG = "60"  # far more than a test waits


class Alive(Prober):
    """Asks whether the process answers."""

    path = LIVE


class DrainCase(FaultCase):
    """A server, whom people use and a balancer asks."""

    def drained(self, seconds: str) -> Server:
        server = self.serve(self.stand.with_environment(DRAIN_SECONDS=seconds))
        self.addCleanup(server.tell, signal.SIGINT)  # which does not wait
        return server

    def traffic_of(self, server: Server) -> Traffic:
        kinds = [Prober, Alive, Looker, Looker, Newcomer, Newcomer]
        people = zip(kinds, self.stand.bystanders, strict=False)
        return Traffic([kind(person, port=server.port, number=50) for kind, person in people])

    def status(self, server: Server, path: str = READY) -> int:
        """Of one answer on a connection of its own; 0 where the door is closed."""
        client = Client(server.port)
        try:
            return client.get(path).status
        finally:
            client.close()

    def readiness_fails_and_then_the_door_closes(self):
        server = self.drained(str(DRAIN_SECONDS))
        with self.traffic_of(server) as traffic:
            traffic.go_on(0.5)
            told_at = time.monotonic()
            server.tell(signal.SIGTERM)
            has_ended = traffic.until(lambda: server.has_ended, seconds=30)
            seconds = time.monotonic() - told_at
        ready, served, live = (sorted(traffic.of(path), key=lambda a: a.sent_at) for path in (READY, ME, LIVE))
        unready = [a for a in ready if a.status == 503]
        dropped = [a.error for a in traffic.answers if a.status == 0 and a.error != "ConnectionRefusedError"]
        late = [a for a in served if a.status == 200 and a.sent_at > told_at + DRAIN_SECONDS - 1]
        wrong = [(a.status, a.code) for a in served + live if a.status not in (0, 200)]
        report(
            "SIGTERM, seen by a balancer",
            load=f"{len(traffic.visitors)} clients, {len(traffic.answers)} requests",
            measured={
                "unready_ms": round(1000 * (unready[0].sent_at - told_at)) if unready else None,
                "served_while_unready": sum(a.status == 200 and a.sent_at > told_at for a in served),
                "dropped": len(dropped),
                "seconds_to_end": round(seconds, 2),
            },
            bar=f"unready within 0.5 s, served for {DRAIN_SECONDS} s more, 0 dropped",
            is_passed=bool(has_ended and unready and late and not dropped and not wrong),
        )
        self.assertTrue(has_ended)
        self.assertEqual((server.exit_code, dropped, wrong), (0, [], []))
        self.assertTrue(unready)
        self.assertLess(unready[0].sent_at, told_at + 0.5)
        self.assertEqual({a.status for a in ready if unready[0].sent_at < a.sent_at} - {0}, {503})
        self.assertEqual({(a.document["status"], a.headers["retry-after"]) for a in unready}, {("unavailable", "2")})
        self.assertTrue(late)
        self.assertTrue([a for a in live if a.status == 200 and a.sent_at > unready[0].sent_at + 0.5])
        self.assertEqual({a.headers.get("connection") for a in late}, {"close"})

    def new_workers_leave_it_ready(self):
        server = self.drained(LONG)
        old = set(server.workers)
        with self.traffic_of(server) as traffic:
            server.tell(signal.SIGHUP)
            replaced = traffic.until(
                lambda: not old & set(server.workers) and len(server.workers) == len(old), seconds=60
            )
            traffic.go_on(0.5)
        self.assertTrue(replaced)
        self.assertEqual([(a.status, a.code or a.error) for a in traffic.answers if a.status != 200], [])


@pytest.mark.embedded
class OneProcess(DrainCase, EmbeddedCase):
    """SIGTERM makes the host unready first and closes the door later; whoever is in a hurry says so."""

    def test_readiness_fails_and_then_the_door_closes(self):
        self.readiness_fails_and_then_the_door_closes()

    def test_new_workers_leave_it_ready(self):
        self.new_workers_leave_it_ready()

    def test_a_second_signal_ends_it_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(number.name):
                server = self.drained(LONG)
                server.tell(signal.SIGTERM)
                until(lambda server=server: self.status(server) == 503, seconds=5, what="it to be unready")
                self.assertEqual(self.status(server, LIVE), 200)
                server.tell(number)
                until(lambda server=server: server.has_ended, seconds=10, what="the end")
                self.assertEqual(server.exit_code, 0)

    def test_ctrl_c_does_not_wait_for_balancers(self):
        server = self.drained(LONG)
        server.tell(signal.SIGINT)
        until(lambda: server.has_ended, seconds=10, what="the end")
        self.assertEqual(server.exit_code, 0)

    def test_a_signal_to_all_its_processes_ends_no_worker_early(self):
        server = self.drained(LONG)
        old = server.workers
        os.killpg(server.pid, signal.SIGTERM)  # it leads a group
        until(lambda: self.status(server) == 503, seconds=5, what="it to be unready")
        server.tell(signal.SIGHUP)  # nor does one that would replace them
        time.sleep(1)  # one that ends would be replaced by now
        self.assertEqual((server.workers, self.status(server)), (old, 503))


@pytest.mark.real
class SeveralWorkers(DrainCase, RealCase):
    """All processes say the same, and so does one that comes while the host drains."""

    def test_readiness_fails_and_then_the_door_closes(self):
        self.readiness_fails_and_then_the_door_closes()

    def test_new_workers_leave_it_ready(self):
        self.new_workers_leave_it_ready()

    def test_a_worker_that_comes_meanwhile_says_so_too(self):
        server = self.drained(LONG)
        old = set(server.workers)
        server.tell(signal.SIGTERM)
        until(lambda: self.status(server) == 503, seconds=5, what="it to be unready")
        for worker in old:
            os.kill(worker, signal.SIGKILL)
        until(lambda: not old & set(server.workers) and len(server.workers) == len(old), seconds=30, what="new ones")
        self.assertEqual({self.status(server) for _ in range(20)}, {503})
        self.assertEqual(self.status(server, LIVE), 200)
