"""A worker process killed again and again under sign-ins and refreshes."""

import os
import random
import signal

import pytest

from tests.faults.form import TIMEOUT_SECONDS, report, sized
from tests.faults.history import check_history
from tests.faults.stand import RealCase
from tests.faults.traffic import LOGIN, REFRESH, Refresher, SignIn, Traffic

pytestmark = [pytest.mark.real, pytest.mark.timeout(TIMEOUT_SECONDS)]

EVERY_SECONDS = 0.4


class WorkerKilled(RealCase):
    """Every acknowledged sign-in and refresh has its event, no event is without its act, no session forks (R1)."""

    def test_every_four_tenths_of_a_second(self):
        server = self.serve()
        people = self.stand.people(8)
        visitors = [Refresher(person, port=server.port, number=30) for person in people[:5]]
        # An address each: a sign-in that was killed in its hash stays counted against its address.
        visitors += [SignIn(person, port=server.port, number=31 + n) for n, person in enumerate(people[5:])]
        wanted = sized(200, 2000)
        kills = 0
        with Traffic(visitors) as traffic:

            def acknowledged():
                return sum(a.status == 200 for a in traffic.of(REFRESH) + traffic.of(LOGIN))

            before = 0
            while not traffic.until(lambda: acknowledged() >= wanted, seconds=EVERY_SECONDS):
                # Where a worker takes longer than that to start, the next kill waits for it to have served somebody.
                if acknowledged() > before:
                    before = acknowledged()
                    kills += self.kill_one(server)
        answers = traffic.answers
        unanswered = sum(a.status == 0 for a in answers)
        odd = sorted({(a.status, a.code) for a in answers if a.status not in (0, 200) and a.code != "ACCOUNT_LOCKED"})
        history = check_history(self.stand, visitors)
        report(
            "R1 kill -9 of workers",
            load=f"{len(answers)} requests, {kills} kills, one each {EVERY_SECONDS} s",
            measured={"unanswered": unanswered, **history.measured},
            bar="0 acknowledged events lost, 0 events without act, 0 tokens exchanged for two, 0 x 5xx",
            is_passed=history.is_clean and not odd,
        )
        self.assertEqual(history.faults, [])
        self.assertEqual(odd, [])
        self.assertGreaterEqual(history.acknowledged, wanted)
        self.assertGreaterEqual(kills, 3)

    def kill_one(self, server):
        workers = server.workers
        if not workers:
            return 0
        try:
            os.kill(random.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return 0
        return 1
