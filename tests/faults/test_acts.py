"""Thousands of acknowledged acts while workers, the sealing worker and PostgreSQL are killed in turn."""

import json
import os
import random
import signal
from collections import Counter

import pytest

from security.audit.leaf import Leaf
from tests import warm
from tests.faults.form import LONG, report, sized
from tests.faults.history import check_history
from tests.faults.stand import RealCase
from tests.faults.traffic import REFRESH, RENAME, Refresher, Renamer, Traffic
from tests.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800 if LONG else 300)]

EVERY_SECONDS = 0.5
USERS = "accounts_user"


class ActsUnderKills(RealCase):
    """Of the acts that were acknowledged none is lost, in its row or in its event; no event is without its act; and
    the log that was sealed meanwhile proves (A10).

    That a row was written its database tells by itself: the note of its trigger, made in the same transaction, names
    the event. A number in a name, and the counter of a session, say how often.
    """

    def test_of_workers_and_of_postgresql(self):
        self.manage("audit_seal")
        last_before = self.stand.query("SELECT coalesce(max(id), 0) FROM audit_event")[0][0]
        server = self.serve()
        self.begin_sealing()
        people = self.stand.people(8)
        renamers = [Renamer(person, port=server.port, number=60) for person in people[:6]]
        refreshers = [Refresher(person, port=server.port, number=60) for person in people[6:]]
        wanted, outages = sized(300, 20_000), sized(1, 20)
        killed = Counter()
        with Traffic([*renamers, *refreshers]) as traffic:

            def acknowledged():
                return sum(a.status == 200 for a in traffic.of(RENAME) + traffic.of(REFRESH))

            before = 0
            while not traffic.until(lambda: acknowledged() >= wanted, seconds=EVERY_SECONDS):
                if acknowledged() == before:
                    continue  # the next kill waits for somebody to have been served
                before = acknowledged()
                if before >= wanted * (killed["PostgreSQL"] + 0.5) / outages:
                    killed["PostgreSQL"] += self.restart_postgres()
                else:
                    killed["worker"] += kill(random.choice(server.workers or [0]))
        told = [(a.status, a.code or a.error) for a in traffic.answers if a.status != 200 and not a.is_come_back]
        odd = [answer for answer in told if answer[0] != 0]
        history = check_history(self.stand, refreshers)
        self.sealing.wait_for_end()
        self.manage("audit_seal")
        history.faults += self.compare(renamers, since=last_before)
        proof = json.loads(self.manage("audit_verify", "--full", "--json"))
        done = acknowledged()
        is_passed = history.is_clean and not odd and done >= wanted and proof["faults"] == proof["notVerified"] == []
        report(
            "A10 kill -9 of workers and of PostgreSQL",
            load=f"{len(traffic.answers)} requests; killed: {dict(killed)}; {self.sealing.starts} sealing workers",
            measured={
                "acknowledged": done,
                "unanswered": sum(status == 0 for status, _ in told),
                "contradictions": len(history.faults),
                "sealed": proof["size"],
            },
            bar="0 acknowledged acts lost, 0 events without act, 0 odd answers; audit_verify --full proves the log",
            is_passed=is_passed,
        )
        self.assertEqual((history.faults[:20], odd), ([], []))
        self.assertEqual((proof["faults"], proof["notVerified"]), ([], []))
        self.assertGreaterEqual(done, wanted)
        self.assertGreaterEqual(killed["PostgreSQL"], 1)
        self.assertGreaterEqual(killed["worker"], 1)

    def compare(self, renamers, *, since):
        """What contradicts between what `renamers` were told, the events after row id `since`, and the rows."""
        faults = []
        events, notes = [], Counter()
        for request_id, kind, leaf in self.stand.query(
            "SELECT request_id, type, leaf FROM audit_event WHERE id > %s ORDER BY id", since
        ):
            parsed = Leaf.parse(bytes(leaf))
            if kind == "profile.updated":
                events.append((request_id, str(parsed.id)))
            elif kind == "records.changed" and any(one["table"] == USERS for one in parsed.data["changes"]):
                notes.update(parsed.data["by"])
            elif kind == "record.out_of_band":
                faults.append(f"a row was written and no event tells of it: {parsed.data}")
        recorded = Counter(request_id for request_id, _ in events)
        asked = {request_id: (one, number) for one in renamers for request_id, number in one.numbers.items()}
        last = {}
        for request_id, event_id in events:
            if recorded[request_id] != 1 or notes[event_id] != 1 or request_id not in asked:
                faults.append(f"event without its act: {request_id}, rows written {notes[event_id]}")
                continue
            visitor, number = asked[request_id]
            last[visitor] = number
        for visitor in renamers:
            faults += [
                f"lost: {a.request_id}"
                for path, a in visitor.told
                if path == RENAME and a.status == 200 and not recorded[a.request_id]
            ]
            [(name,)] = self.stand.query("SELECT name FROM accounts_user WHERE email = %s", visitor.person.email)
            if name != f"Act {last.get(visitor)}":
                faults.append(f"the row says {name}, the last event {last.get(visitor)}")
        return faults

    def manage(self, *arguments):
        """Output of one of our commands."""
        return self.stand.project.run("django", *arguments)

    def begin_sealing(self):
        self.sealing = SealingWorker(self.stand.project)
        self.addCleanup(self.sealing.kill)

    def restart_postgres(self):
        """Kill PostgreSQL and the worker that seals at one blow, and start both again."""
        self.sealing.kill()
        self.stand.postgres.kill()
        self.stand.postgres.start()
        self.sealing.start()
        return 1


class SealingWorker:
    """`koshflow.worker`, which ends when PostgreSQL does and is started again, as its supervisor would."""

    def __init__(self, project):
        self._project = project
        self.starts = 0
        self.start()

    def start(self):
        self.starts += 1
        with (self._project.folder / "worker.log").open("ab") as log:
            self._process = warm.start(["-m", "koshflow.worker"], self._project.environment, output=log)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def wait_for_end(self):
        """End it in order: what it has begun it ends."""
        self._process.terminate()
        until(lambda: self._process.poll() is not None, seconds=40, what="the end of the worker")


def kill(worker):
    """SIGKILL to a worker process; whether there was one."""
    if not worker:
        return 0
    try:
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1
