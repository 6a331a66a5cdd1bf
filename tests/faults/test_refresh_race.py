"""One refresh token presented by many at once, against real servers on both databases."""

import base64
import json
import threading
import time

import pytest

from tests.faults.client import Client
from tests.faults.form import LONG, TIMEOUT_SECONDS, report, sized
from tests.faults.stand import EmbeddedCase, RealCase
from tests.faults.traffic import ME, REFRESH
from tests.waiting import until

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

PARALLEL = 20
GRACE_SECONDS = 10


class Contestants:
    """Clients that send at one moment, round after round, each on a connection of its own."""

    def __init__(self, port):
        self.clients = [Client(port, number=50) for _ in range(PARALLEL)]

    def present(self, token):
        """The answers to `token`, presented by all at once."""
        barrier = threading.Barrier(PARALLEL)
        answers = []

        def run(client):
            barrier.wait(30)
            answers.append(client.post(REFRESH, {"refreshToken": token}))

        threads = [threading.Thread(target=run, args=(client,)) for client in self.clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def close(self):
        for client in self.clients:
            client.close()


def race(case, *, name, rounds):
    """Rounds of the race, then a replay of an older token; reports and asserts."""
    port, [person] = case.serve().port, case.stand.people(1)
    contestants = Contestants(port)
    case.addCleanup(contestants.close)
    tokens, wrong, forks = [person.refresh], [], 0
    for _ in range(rounds):
        answers = contestants.present(tokens[-1])
        wrong += [(a.status, a.code or a.error) for a in answers if a.status != 200]
        pairs = {(a.document["refreshToken"], a.document["accessToken"]) for a in answers if a.status == 200}
        case.assertTrue(pairs, wrong)
        forks += len(pairs) != 1
        refresh, access = pairs.pop()
        tokens.append(refresh)
    with Client(port) as client:
        spent = tokens[-3]  # two rotations old: no grace covers it
        if LONG:
            # The one just spent, once the grace in which it counts as a retry is over.
            spent, deadline = tokens[-2], time.monotonic() + GRACE_SECONDS + 1
            until(lambda: time.monotonic() > deadline, seconds=GRACE_SECONDS + 5, what="the end of the grace")
        alive = client.get(ME, token=access).status
        replay = client.post(REFRESH, {"refreshToken": spent}).code
        after = [client.get(ME, token=access).code, client.post(REFRESH, {"refreshToken": tokens[-1]}).code]
    rotations = counter_of(tokens[-1])
    closed = [replay, *after] == ["REFRESH_TOKEN_REUSED", "TOKEN_REVOKED", "REFRESH_TOKEN_REVOKED"]
    report(
        name,
        load=f"{rounds} rounds of {PARALLEL} parallel refreshes of one token",
        measured={
            "rounds_without_one_successor": forks,
            "rotations": rotations,
            "not_200": sorted(set(wrong)),
            "replay": [replay, *after],
        },
        bar="one successor in each round, 0 other than 200, a replay closes the family",
        is_passed=not forks and not wrong and rotations == rounds and alive == 200 and closed,
    )
    case.assertEqual((forks, wrong, rotations, alive), (0, [], rounds, 200))
    case.assertTrue(closed, (replay, after))


def counter_of(token):
    """How often the session had been rotated when this refresh token was made."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["ctr"]


@pytest.mark.real
class OnPostgres(RealCase):
    """Two processes, one token: one successor, however many ask (R5)."""

    def test_one_successor_a_round(self):
        race(self, name="R5 PostgreSQL", rounds=sized(10, 200))


@pytest.mark.embedded
class OnSqlite(EmbeddedCase):
    """One process with eight threads: the same (R5)."""

    def test_one_successor_a_round(self):
        race(self, name="R5 SQLite", rounds=sized(10, 200))
