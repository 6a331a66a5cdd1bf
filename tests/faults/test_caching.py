"""What two workers and Redis keep of the database: one reading for a crowd, every change seen, Redis killed."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import warm
from tests.faults.client import Client
from tests.faults.form import TIMEOUT_SECONDS, report, sized
from tests.faults.stand import RealCase
from tests.server import ROOT
from tests.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(TIMEOUT_SECONDS)]

EVENTS = "/api/audit/events?pageSize=1"
SEEN_WITHIN_SECONDS = 1.0
_IS_SEALED = """
SELECT 1 FROM audit_event
WHERE event_id = %s AND tree_index < (SELECT max(size) FROM audit_checkpoint WHERE note <> '')
"""
CROWD = """
import django, json, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
django.setup()
from security.selectors import PublicSelector

def load():
    with open(sys.argv[1], "a") as reads:
        reads.write("read\\n")
    time.sleep(0.3)  # slower than all of them take to come
    return sys.argv[2]

selector = PublicSelector("crowd", seconds=6, load=load, is_answer=lambda _: True)
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(100) as pool:
    answers = list(pool.map(lambda _: selector.read(), range(100)))
print(json.dumps(sorted(set(answers))))
"""


class ACrowd(RealCase):
    """Two hundred in two processes, who ask for what nobody has or for what has just ended, are one reading."""

    def crowd(self, value, *, begin_at=0.0):
        """The answers of two processes of a hundred threads each, and how often all of them read."""
        reads = self.stand.project.folder / "reads"
        reads.write_text("")
        asking = [
            subprocess.Popen(
                [*warm.CLIENT.split(), "-c", CROWD, str(reads), value],
                cwd=ROOT,
                env=self.stand.project.environment | warm.warm(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in asking:
            self.assertEqual(process.stdout.readline(), "ready\n")
        time.sleep(max(0.0, begin_at - time.monotonic()))
        for process in asking:
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [json.loads(process.communicate(timeout=60)[0]) for process in asking]
        return answers, len(reads.read_text().splitlines())

    def test_two_hundred_are_one_reading(self):
        cold, reads_cold = self.crowd("old")
        self.assertEqual((cold, reads_cold), ([["old"], ["old"]], 1))
        # Past its six seconds what was read is stale, for six more.
        warm, reads_warm = self.crowd("new", begin_at=time.monotonic() + 6)
        report(
            "bar 21: a crowd on expiry",
            load="200 threads in 2 processes, twice",
            measured={"reads_on_nothing": reads_cold, "reads_on_expiry": reads_warm},
            bar="1 reading each",
            is_passed=reads_cold == reads_warm == 1,
        )
        self.assertEqual(reads_warm, 1)
        self.assertIn("old", warm[0] + warm[1])  # who did not read was not kept waiting


class AChange(RealCase):
    """What is sealed by another process is told by every worker within a second, also around Redis' death."""

    def setUp(self):
        super().setUp()
        project = self.stand.with_environment(OPERATOR_NETWORKS="127.0.0.1/32")
        self.server = self.serve(project)
        [self.person] = self.stand.people(1)

    def newest(self, _=None):
        """The newest event of the company as one worker tells it. Each look is itself an event."""
        with Client(self.server.port) as client:
            answer = client.get(EVENTS, token=self.person.access)
        self.assertEqual(answer.status, 200, answer)
        return next(iter(answer.document["results"]), None)

    def told(self):
        """Result → answers so far."""
        return {
            name.split('result="')[1].split('"')[0]: value
            for name, value in self.server.metrics().items()
            if name.startswith('kf_cache_requests_total{cache="audit_signed"')
        }

    def stale_for(self, event):
        """Seconds from the moment at which its seal was committed to the last question that met no knowledge of it."""
        committed_at, last_stale = None, 0.0
        with ThreadPoolExecutor(5) as pool:
            sealing = pool.submit(self.stand.project.run, "django", "audit_seal")
            ends = time.monotonic() + 30
            while time.monotonic() < ends:
                if committed_at is None and self.stand.query(_IS_SEALED, event["id"]):
                    committed_at = time.monotonic()
                asked_at = time.monotonic()
                is_known = all(pool.map(self.is_sealed, [event] * 4))  # also before: every worker has the old answer
                if committed_at is None:
                    self.assertFalse(is_known and not self.stand.query(_IS_SEALED, event["id"]))
                elif not is_known:
                    last_stale = asked_at - committed_at
                elif asked_at - committed_at > 2 * SEEN_WITHIN_SECONDS:
                    break
            sealing.result()
        return last_stale

    def is_sealed(self, event):
        with Client(self.server.port) as client:
            answer = client.get(f"{EVENTS}&requestId={event['requestId']}", token=self.person.access)
        self.assertEqual(answer.status, 200, answer)
        return answer.document["results"][0]["sealed"]

    def test_it_is_seen_by_every_worker_within_a_second(self):
        delays = []
        for _ in range(sized(2, 10)):
            self.newest()  # an event that is not sealed
            delays.append(self.stale_for(self.newest()))
        told = self.told()
        spared = sum(told.get(name, 0) for name in ("local", "shared", "stale"))
        report(
            "bar 21: a change",
            load=f"{len(delays)} seals by another process, 2 workers asked without pause",
            measured={"stale_s": [round(delay, 2) for delay in delays], "answers": told},
            bar=f"{SEEN_WITHIN_SECONDS} s and the time of one answer",
            is_passed=max(delays) <= SEEN_WITHIN_SECONDS,
        )
        # The answer itself took time, on a machine that others use.
        self.assertLessEqual(max(delays), SEEN_WITHIN_SECONDS + 0.5)
        self.assertGreater(spared / sum(told.values()), 0.5, told)

    def test_redis_is_killed_in_the_middle(self):
        self.newest()
        self.stand.redis.kill()
        try:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self.newest, range(40)))
            self.assertLessEqual(self.stale_for(self.newest()), SEEN_WITHIN_SECONDS + 0.5)
        finally:
            self.stand.redis.start()
        told = self.told()
        self.assertGreater(told["direct"], 0)
        until(
            lambda: self.newest() and self.told().get("loaded", 0) > told.get("loaded", 0),
            seconds=20,
            what="Redis to be used again",
        )
