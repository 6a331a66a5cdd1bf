"""Probes while what they look at is frozen, a black hole or under attack: nobody waits, nothing piles up."""

import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.faults.client import Client
from tests.faults.form import TIMEOUT_SECONDS, report, sized, spread_ms
from tests.faults.stand import RealCase
from tests.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(TIMEOUT_SECONDS)]

READY, LIVE = "/health/ready", "/health/live"
# The promises are judged in the long form; the short one runs beside other tests, and sees what hangs or piles up.
LIVE_P99_MS = sized(1000, 50)
FIRST_503_SECONDS = sized(4, 1.2)
# One deadline, where four parts that wait by turns would make four.
SCRAPE_SECONDS = sized(2.5, 1.5)
SCRAPES = 12
KEPT_P99_MS = sized(2500, 250)
ATTACK_P99_MS = sized(1000, 20)
# Of the database in ten seconds: kept for five. Of what lies deeper: kept for thirty, and two probes of it.
DATABASE_RUNS, DEEP_RUNS = 3, 2
MORE_THREADS, SERVING_THREADS = 1, 8
ATTACKERS = 4


class Probes(RealCase):
    """`/health/live` never waits; `/health/ready` once, for its deadline."""

    def warm(self) -> object:
        server = self.serve()
        with Client(server.port) as client:
            for _ in range(20):
                client.get(READY)
        time.sleep(0.5)
        return server

    def test_a_frozen_database(self):
        server = self.warm()
        workers = [psutil.Process(pid) for pid in server.workers]
        before = [worker.num_threads() for worker in workers]
        self.stand.postgres.pause()
        self.addCleanup(self.stand.postgres.resume)
        time.sleep(5.5)  # until what was kept is too old
        count = sized(60, 400)
        with Client(server.port) as client:
            ready, live = [], []
            for _ in range(count):
                ready.append(client.get(READY))
                live.append(client.get(LIVE))
        frozen = [worker.num_threads() for worker in workers]
        self.stand.postgres.resume()
        with Client(server.port) as client:
            until(lambda: client.get(READY).status == 200, seconds=30, what="readiness")
        time.sleep(1)  # until no probe is on its way
        # Threads that serve come with the load and stay, so they are told from a probe's by what has ended since.
        more = [number - worker.num_threads() for number, worker in zip(frozen, workers, strict=True)]
        stayed = [number - gone - was for number, gone, was in zip(frozen, more, before, strict=True)]
        refused = [a for a in ready if a.status == 503]
        # Each worker learns of it by itself.
        first, kept = ready[: len(before)], ready[len(before) * 2 :]
        measured = {
            "live_ms": spread_ms([a.seconds for a in live]),
            "first_503_ms": spread_ms([a.seconds for a in first]),
            "then_ms": spread_ms([a.seconds for a in kept]),
            "threads_more": sorted(more),
            "threads_that_stayed": sorted(stayed),
            "ready": {status: sum(a.status == status for a in ready) for status in {a.status for a in ready}},
        }
        is_passed = (
            {a.status for a in live} == {200}
            and len(refused) >= count - len(before)
            and measured["live_ms"]["p99"] <= LIVE_P99_MS
            and measured["first_503_ms"]["max"] <= 1000 * FIRST_503_SECONDS
            and measured["then_ms"]["p99"] <= KEPT_P99_MS
            and max(more) <= MORE_THREADS
            and max(stayed) < SERVING_THREADS
        )
        report(
            "9 SIGSTOP PostgreSQL, probes",
            load=f"{count} x ready and live in turn, {len(before)} workers",
            measured=measured,
            bar=f"live p99 <= {LIVE_P99_MS} ms, first 503 <= {FIRST_503_SECONDS} s, then kept; threads +1 a worker",
            is_passed=is_passed,
        )
        self.assertTrue(is_passed, measured)

    def test_a_scrape_of_a_frozen_database(self):
        server = self.serve(self.stand.with_environment(OPERATOR_NETWORKS="127.0.0.1/32"))
        for _ in range(SCRAPES):  # each worker by chance, so that it knows what it lost
            server.metrics()
        self.stand.postgres.pause()
        self.addCleanup(self.stand.postgres.resume)
        time.sleep(5.5)  # until what was kept is too old, of the database, alerts, schedule and backups alike
        seconds, up = [], set()
        for _ in range(SCRAPES):
            started = time.monotonic()
            up.add(server.metrics()["kf_db_up"])
            seconds.append(time.monotonic() - started)
        measured = {"ms": spread_ms(seconds), "first_ms": round(1000 * seconds[0])}
        is_passed = up == {0.0} and max(seconds) <= SCRAPE_SECONDS
        report(
            "9 SIGSTOP PostgreSQL, scrapes",
            load=f"{SCRAPES} x /metrics",
            measured=measured,
            bar=f"each <= {SCRAPE_SECONDS} s: all that hangs is waited for together",
            is_passed=is_passed,
        )
        self.assertTrue(is_passed, measured)

    def test_a_black_hole_in_the_place_of_redis(self):
        server = self.warm()
        self.stand.redis.pause()
        self.addCleanup(self.stand.redis.resume)
        time.sleep(5.5)
        with Client(server.port) as client:
            ready = [client.get(READY) for _ in range(sized(40, 200))]
        words = {(a.status, a.document.get("status")) for a in ready[4:]}
        measured = {"answers": sorted(words), "ms": spread_ms([a.seconds for a in ready])}
        report(
            "9 SIGSTOP Redis, probes",
            load=f"{len(ready)} x ready",
            measured=measured,
            bar="200 degraded, never unavailable",
            is_passed=words == {(200, "degraded")},
        )
        self.assertEqual(words, {(200, "degraded")})

    def test_the_probe_as_an_attack(self):
        server = self.warm()
        before = self.sessions()
        count = sized(1000, 5000)
        started = time.monotonic()
        with ThreadPoolExecutor(ATTACKERS) as pool:
            asked = pool.map(lambda number: self.ask(server.port, number, count // ATTACKERS), range(ATTACKERS))
            answers = [answer for answers in asked for answer in answers]
        seconds = time.monotonic() - started
        time.sleep(1.5)  # the server tells its statistics after a second
        runs = (self.sessions() - before) / len(server.workers)
        spread = spread_ms([a.seconds for a in answers])
        most = DATABASE_RUNS + DEEP_RUNS + max(0.0, (seconds - 10) / 5)
        measured = {"seconds": round(seconds, 1), "ms": spread, "database_sessions_a_worker": runs}
        is_passed = {a.status for a in answers} == {200} and runs <= most and spread["p99"] <= ATTACK_P99_MS
        report(
            "10 the probe as an attack",
            load=f"{count} x ready by {ATTACKERS} clients",
            measured=measured,
            bar=f"{most:g} sessions of the database a worker at most, p99 <= {ATTACK_P99_MS} ms",
            is_passed=is_passed,
        )
        self.assertTrue(is_passed, measured)

    def ask(self, port: int, number: int, times: int) -> list:
        with Client(port, number=60 + number) as client:
            return [client.get(READY) for _ in range(times)]

    def sessions(self) -> int:
        """How many sessions PostgreSQL was asked for since it began: each run of a probe is one."""
        rows = self.stand.query("SELECT sessions FROM pg_stat_database WHERE datname = current_database()")
        return int(rows[0][0])
