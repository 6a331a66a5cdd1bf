"""Requests are counted exactly while workers of two servers on one folder are recycled and killed."""

import os
import random
import signal

import pytest

from monitoring.metrics.slots import slots
from tests.faults.counted import requests_by_worker
from tests.faults.form import TIMEOUT_SECONDS, report, sized
from tests.faults.stand import RealCase
from tests.faults.traffic import Traffic, Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(TIMEOUT_SECONDS)]

KILL_EVERY_SECONDS = 0.5


class Asker(Visitor):
    """Asks who it is, without a token: a refusal is counted like any other request."""

    def step(self) -> None:
        self.ask("/api/auth/me")


class Exact(RealCase):
    """Each answer that a client has read is counted, and nothing that no client asked (bars 9 and 11)."""

    def test_two_servers_recycled_and_killed(self):
        recycling = ("--max-requests", "200", "--max-requests-jitter", "50")
        servers = [self.serve(None, *recycling) for _ in range(2)]
        # Two servers beside each other: what the first counted must live through the start of the second.
        people = self.stand.people(4)
        visitors = [Asker(person, port=servers[n % 2].port, number=60 + n) for n, person in enumerate(people)]
        wanted, wanted_kills, kills = sized(300, 10_000), sized(2, 20), 0
        before = sum(requests_by_worker(self.stand.project).values())
        with Traffic(visitors) as traffic:
            while kills < wanted_kills:
                traffic.go_on(KILL_EVERY_SECONDS)
                kills += self.kill_one(random.choice(servers))
            is_enough = traffic.until(
                lambda: sum(a.status == 401 for a in traffic.answers) >= wanted, seconds=TIMEOUT_SECONDS / 2
            )
        answered = sum(a.status == 401 for a in traffic.answers)
        unanswered = sum(a.status == 0 for a in traffic.answers)
        for server in servers:
            server.stop()
        counted = sum(requests_by_worker(self.stand.project).values()) - before
        folder = self.stand.project.folder / "metrics"
        measured = {
            "answered": answered,
            "unanswered": unanswered,
            "counted": counted,
            "kills": kills,
            "slots": len(slots(folder)),
            "bytes": sum(path.stat().st_blocks * 512 for path in folder.iterdir()),
        }
        # What was cut may have been counted, and no more than that.
        is_exact = answered <= counted <= answered + unanswered
        report(
            "bars 9, 11: counts over two servers of two workers",
            load=f"{wanted} requests, recycled every 200 to 250, SIGKILL every {KILL_EVERY_SECONDS} s",
            measured=measured,
            bar="every answer counted once; at most one slot a worker that lived at once, 10 MB",
            is_passed=is_exact,
        )
        self.assertTrue(is_exact, measured)
        self.assertTrue(is_enough, measured)
        self.assertLessEqual(measured["bytes"], 10_000_000)

    def kill_one(self, server) -> int:
        try:
            os.kill(random.choice(server.workers), signal.SIGKILL)
        except (ProcessLookupError, IndexError):
            return 0
        return 1
