"""Processes killed around a mail: it arrives, once where it was not yet accepted, else twice under one Message-ID."""

import os
import signal
import sqlite3
import threading
import time

import psycopg
import pytest

from tests.faults.client import Client
from tests.faults.form import LONG, TIMEOUT_SECONDS, report
from tests.faults.relay import Relay
from tests.faults.stand import EmbeddedCase, RealCase
from tests.waiting import until

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

RESET = "/api/auth/password-reset"
# 60 s of lease, 30 s until a silent worker counts as dead, two slots of 10 s each.
ARRIVES_SECONDS = 180 if LONG else 60


def kill_group(pid):
    """End a process that leads its group, and all in it, as a power cut would."""
    os.killpg(pid, signal.SIGKILL)


@pytest.mark.real
class OnPostgres(RealCase):
    """The worker of the schedule is killed in a delivery, or the server between an act and its hint."""

    def let_time_pass(self):
        """In the short form the rows grow old at once; in the long form they do by themselves."""
        if not LONG:
            with psycopg.connect(self.stand.postgres.url) as connection:
                connection.execute("UPDATE outbox_message SET lease_until = now() WHERE state = 'leased'")
                connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")

    def waiting(self):
        return self.stand.query("SELECT count(*) FROM outbox_message WHERE state <> 'sent' AND kind <> 'alert'")[0][0]

    def deliver_through_a_kill(self, name, *, keeps_first, copies):
        [person] = self.stand.people(1)
        with Relay(person.email, keeps_first=keeps_first) as relay:
            project = self.stand.mailing_to(relay.port)
            server = self.serve(project)
            worker = self.start_worker(project)
            relay.strike = lambda: kill_group(worker.pid)
            with Client(server.port) as client:
                self.assertEqual(client.post(RESET, {"email": person.email}).status, 202)
            until(lambda: relay.has_struck, seconds=ARRIVES_SECONDS, what="the first delivery")
            worker.wait(30)
            killed_at = time.monotonic()
            self.let_time_pass()
            self.start_worker(project)
            until(lambda: len(relay.ids) >= copies, seconds=ARRIVES_SECONDS, what="the mail")
            seconds = time.monotonic() - killed_at
            until(lambda: not self.waiting(), seconds=ARRIVES_SECONDS, what="its row to be settled")
            show(self, name, relay, copies=copies, seconds=seconds)

    def test_worker_killed_in_the_delivery(self):
        self.deliver_through_a_kill("mail: worker killed before acceptance", keeps_first=False, copies=1)
        if LONG:  # in the short form this half is shown on SQLite
            self.deliver_through_a_kill("mail: worker killed after acceptance", keeps_first=True, copies=2)

    def test_server_killed_between_the_act_and_its_hint(self):
        [person] = self.stand.people(1)
        with Relay(person.email) as relay, psycopg.connect(self.stand.postgres.url) as blocker:
            project = self.stand.mailing_to(relay.port)
            server = self.serve(project)
            before = self.waiting()
            # The act commits, then the hint waits for this lock: the server dies exactly in between.
            blocker.execute("LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
            with Client(server.port) as client:
                asking = threading.Thread(target=client.post, args=(RESET, {"email": person.email}))
                asking.start()
                until(lambda: self.waiting() > before, seconds=20, what="the act's commit")
                kill_group(server.pid)
                asking.join()
            blocker.rollback()
            killed_at = time.monotonic()
            self.start_worker(project)
            until(lambda: relay.ids, seconds=ARRIVES_SECONDS, what="the mail")
            seconds = time.monotonic() - killed_at
            until(lambda: not self.waiting(), seconds=ARRIVES_SECONDS, what="its row to be settled")
            show(self, "mail: server killed between act and hint", relay, copies=1, seconds=seconds)


@pytest.mark.embedded
class OnSqlite(EmbeddedCase):
    """The one process, whose thread delivers, is killed in a delivery; the next start delivers."""

    def let_time_pass(self):
        if not LONG:
            with sqlite3.connect(self.stand.database) as connection:
                connection.execute(
                    "UPDATE outbox_message SET lease_until = '2000-01-01 00:00:00' WHERE state = 'leased'"
                )
            connection.close()

    def waiting(self):
        connection = sqlite3.connect(self.stand.database, timeout=10)
        try:
            return connection.execute(
                "SELECT count(*) FROM outbox_message WHERE state <> 'sent' AND kind <> 'alert'"
            ).fetchone()[0]
        finally:
            connection.close()

    def deliver_through_a_kill(self, name, *, keeps_first, copies):
        [person] = self.stand.people(1)
        with Relay(person.email, keeps_first=keeps_first) as relay:
            project = self.stand.mailing_to(relay.port)
            server = self.serve(project)
            relay.strike = lambda: kill_group(server.pid)
            with Client(server.port) as client:
                client.post(RESET, {"email": person.email})
            until(lambda: relay.has_struck, seconds=ARRIVES_SECONDS, what="the first delivery")
            server.stop()
            killed_at = time.monotonic()
            self.let_time_pass()
            self.serve(project)
            until(lambda: len(relay.ids) >= copies, seconds=ARRIVES_SECONDS, what="the mail")
            seconds = time.monotonic() - killed_at
            until(lambda: not self.waiting(), seconds=ARRIVES_SECONDS, what="its row to be settled")
            show(self, name, relay, copies=copies, seconds=seconds)

    def test_killed_before_the_relay_accepted(self):
        self.deliver_through_a_kill("mail: embedded server killed before acceptance", keeps_first=False, copies=1)

    def test_killed_after_the_relay_accepted(self):
        self.deliver_through_a_kill("mail: embedded server killed after acceptance", keeps_first=True, copies=2)


def show(case, name, relay, *, copies, seconds):
    """Report one run and assert on what the relay kept."""
    arrived, names = len(relay.ids), len(set(relay.ids))
    report(
        name,
        load="one mail, one kill" + ("" if LONG else "; leases and heartbeats aged at once"),
        measured={"copies": arrived, "message_ids": names, "seconds_after_the_kill": round(seconds, 1)},
        bar=f"{copies} of one Message-ID",
        is_passed=(arrived, names) == (copies, 1),
    )
    case.assertEqual((arrived, names), (copies, 1))
