"""PostgreSQL killed, restarted and frozen: 503 at once, no signature accepted alone, and back without a restart."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.client import Client
from tests.faults.form import TIMEOUT_SECONDS, report, sized, spread_ms
from tests.faults.history import check_history
from tests.faults.stand import RealCase
from tests.faults.traffic import LOGIN, ME, REFRESH, Refresher, SignIn, Traffic
from tests.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(TIMEOUT_SECONDS)]

# The promise is judged in the long form; the short one runs beside other tests, and sees what hangs.
REFUSAL_SECONDS = sized(2, 1)
RETURN_SECONDS = sized(10, 3)
PROBE_SECONDS = sized(6, 2)
STUCK_SECONDS = sized(10, 20)


class PostgresKilled(RealCase):
    """Each request meanwhile is a 503 to come back from; the same workers answer when it is back; nothing
    acknowledged is lost (R2).
    """

    def test_under_traffic(self):
        server = self.serve()
        people = self.stand.people(8)
        visitors = [Refresher(person, port=server.port, number=20) for person in people[:5]]
        visitors += [SignIn(person, port=server.port, number=21) for person in people[5:]]
        workers = sorted(server.workers)
        outages = sized(1, 5)
        refused, accepted, firsts, odd, probes = [], [], [], set(), {}
        with Traffic(visitors) as traffic:
            traffic.go_on(1)
            for _ in range(outages):
                killed_at = time.monotonic()
                self.stand.postgres.kill()
                dead_at = time.monotonic()
                traffic.go_on(2)
                probes = self.probes(server.port)
                starts_at = time.monotonic()
                self.stand.postgres.start()
                accepts_at = time.monotonic()
                back = traffic.until(lambda at=accepts_at: first_200(traffic.of(ME), at), seconds=30)
                self.assertTrue(back, "no 200 within 30 s")
                firsts.append(first_200(traffic.of(ME), accepts_at)[0])
                answered = [a for a in traffic.answers if dead_at < a.sent_at and a.sent_at + a.seconds < starts_at]
                accepted += [a for a in answered if a.status == 200]
                refused += [a for a in traffic.answers if killed_at < a.sent_at < accepts_at and a.status != 200]
                traffic.go_on(1)
        answers = traffic.answers
        odd = sorted({(a.status, a.code or a.error) for a in answers if a.status != 200 and not a.is_come_back})
        refusal = spread_ms([a.seconds for a in refused])
        history = check_history(self.stand, visitors)
        is_passed = (
            not odd
            and not accepted
            and refusal["p99"] <= 1000 * REFUSAL_SECONDS
            and max(firsts) <= RETURN_SECONDS
            and sorted(server.workers) == workers
            and history.is_clean
        )
        report(
            "R2 kill -9 PostgreSQL",
            load=f"{len(visitors)} clients, {len(answers)} requests, {outages} outage(s), {len(refused)} refused",
            measured={
                "accepted_without_it": len(accepted),
                "refusal_ms": refusal,
                "first_200_seconds": [round(seconds, 3) for seconds in firsts],
                "workers_replaced": len(set(workers) - set(server.workers)),
                "probes": probes,
                **history.measured,
            },
            bar=f"refusals are 503 problems with Retry-After, p99 <= {REFUSAL_SECONDS} s; "
            f"first 200 <= {RETURN_SECONDS} s; same workers; 0 lost, 0 odd",
            is_passed=is_passed,
        )
        self.assertEqual((odd, accepted), ([], []))
        self.assertGreater(len(refused), 20)
        self.assertLessEqual(refusal["p99"], 1000 * REFUSAL_SECONDS)
        self.assertLessEqual(max(firsts), RETURN_SECONDS)
        self.assertEqual(sorted(server.workers), workers)
        self.assertEqual(probes, {"/health/live": 200, "/health": 503, "/health/ready": 503})
        self.assertEqual(history.faults, [])

    def probes(self, port):
        with Client(port) as client:
            return {path: client.get(path).status for path in ("/health/live", "/health", "/health/ready")}


def first_200(answers, since):
    """Seconds from `since` to the end of the first 200 that was asked for after it, as a list of none or one."""
    ends = [a.sent_at + a.seconds - since for a in answers if a.status == 200 and a.sent_at + a.seconds > since]
    return [min(ends)] if ends else []


class PostgresRestarted(RealCase):
    """Once it is back nobody is refused for the connections that it left dead, whatever they ask for first (R2)."""

    def test_under_idle_connections(self):
        server = self.serve()
        people = self.stand.people(16)  # as many as threads
        until(lambda: self.connections(server.port, people) >= len(people) // 2, seconds=30, what="idle connections")
        held = self.connections(server.port, people)
        self.stand.postgres.kill()
        self.stand.postgres.start()
        answers = self.at_once(people, lambda c, p: c.post(REFRESH, {"refreshToken": p.refresh}), port=server.port)
        for number, person in enumerate(people):  # one by one: the queue of hashes is short
            with Client(server.port, number=50 + number) as client:
                answers.append(client.post(LOGIN, {"email": person.email, "password": person.password}))
        refused = [(a.status, a.code or a.error) for a in answers if a.status != 200]
        report(
            "R2 restart of PostgreSQL",
            load=f"{held} idle connections, then {len(people)} refreshes and {len(people)} sign-ins",
            measured={"not_200": refused},
            bar="0 other than 200",
            is_passed=not refused,
        )
        self.assertEqual(refused, [])

    def connections(self, port, people):
        """How many connections the server holds after `people` asked all at once."""
        answers = self.at_once(people, lambda client, person: client.get(ME, token=person.access), port=port)
        self.assertEqual({a.status for a in answers}, {200})
        return self.stand.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'koshflow'")[0][0]

    def at_once(self, people, ask, *, port):
        with ThreadPoolExecutor(len(people)) as pool:
            return list(pool.map(lambda person: self.answer(person, ask, port=port), people))

    def answer(self, person, ask, *, port):
        with Client(port, number=49) as client:
            return ask(client, person)


class PostgresFrozen(RealCase):
    """A stopped process keeps its connections open and says nothing, so no time-out of the server's own helps."""

    def freeze(self, port, *, clients):
        """Threads of people whose request meets the frozen server, and the list that their answers go to."""
        people = self.stand.people(clients)
        askers = [Client(port, number=25, patience=STUCK_SECONDS + 1) for _ in people]
        for asker, person in zip(askers, people, strict=True):
            self.addCleanup(asker.close)
            self.assertEqual(asker.get(ME, token=person.access).status, 200)
        self.stand.postgres.pause()
        self.addCleanup(self.stand.postgres.resume)
        answers = []
        threads = [
            threading.Thread(target=lambda a=asker, p=person: answers.append(a.get(ME, token=p.access)))
            for asker, person in zip(askers, people, strict=True)
        ]
        for thread in threads:
            thread.start()
            self.addCleanup(thread.join)
        return threads, answers

    def test_the_probes_tell_it_at_once(self):
        port = self.serve().port
        self.freeze(port, clients=4)
        with Client(port) as client:
            live = [client.get("/health/live") for _ in range(5)]
            ready = [client.get("/health/ready") for _ in range(3)]
            self.stand.postgres.resume()
            until(lambda: client.get("/health/ready").status == 200, seconds=30, what="readiness")
        slowest = {"live": max(a.seconds for a in live), "ready": max(a.seconds for a in ready)}
        statuses = [a.status for a in live + ready]
        report(
            "R2 SIGSTOP PostgreSQL, probes",
            load="4 requests stuck, 5 x /health/live, 3 x /health/ready",
            measured={"statuses": statuses, "slowest_seconds": {k: round(v, 3) for k, v in slowest.items()}},
            bar=f"live 200 and ready 503, each within {PROBE_SECONDS} s",
            is_passed=statuses == [200] * 5 + [503] * 3 and max(slowest.values()) <= PROBE_SECONDS,
        )
        self.assertEqual(statuses, [200] * 5 + [503] * 3)
        self.assertLessEqual(max(slowest.values()), PROBE_SECONDS)

    def test_a_stuck_read_becomes_a_refusal(self):
        port = self.serve().port
        clients = sized(4, 20)  # more than the 16 threads of both workers, in the long form
        threads, answers = self.freeze(port, clients=clients)
        with Client(port, patience=STUCK_SECONDS + 1) as client:
            live = client.get("/health/live")
        for thread in threads:
            thread.join()
        self.stand.postgres.resume()
        seconds = sorted(round(a.seconds, 1) for a in answers)
        told = sorted({(a.status, a.code or a.error) for a in answers})
        is_passed = all(a.is_come_back and a.seconds <= STUCK_SECONDS for a in answers) and live.status == 200
        report(
            "R2 SIGSTOP PostgreSQL, reads",
            load=f"{clients} reads of the signed-in person at once",
            measured={"answers": told, "seconds": seconds, "live": [live.status, round(live.seconds, 2)]},
            bar=f"each a 503 problem within {STUCK_SECONDS} s, /health/live 200 meanwhile",
            is_passed=is_passed,
        )
        self.assertTrue(is_passed, (told, seconds, live))
