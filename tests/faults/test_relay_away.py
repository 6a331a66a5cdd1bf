"""The mail relay away: every act that tells of itself by mail goes on, and the mails go out when it is back."""

import sqlite3
from contextlib import closing

import pytest

from tests.faults.client import Client
from tests.faults.form import LONG, TIMEOUT_SECONDS, report
from tests.faults.relay import Relay
from tests.faults.stand import EmbeddedCase
from tests.faults.traffic import LOGIN, ME
from tests.waiting import until

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(TIMEOUT_SECONDS)]

RESET, CHANGE = "/api/auth/password-reset", "/api/auth/change-password"
NEW_PASSWORD = "Lantern-Ledger-48"
ARRIVES_SECONDS = 60


class RelayAway(EmbeddedCase):
    """Nobody who signs in, changes a password or asks for a reset notices; nothing is let through; nothing is lost."""

    def test_answers_are_as_ever_and_the_mails_arrive_when_it_is_back(self):
        person, forgetful = self.stand.people(2)
        relay = Relay(person.email)
        port = self.serve(self.stand.mailing_to(relay.port)).port  # nobody listens at the relay's yet
        with Client(port) as client:
            signed_in = client.post(LOGIN, {"email": person.email, "password": person.password})
            token = signed_in.document.get("accessToken", "")
            passwords = {"currentPassword": person.password, "newPassword": NEW_PASSWORD}
            changed = client.post(CHANGE, passwords, token=token)
            until(self.tried, seconds=ARRIVES_SECONDS, what="a try that failed")
            asked = client.post(RESET, {"email": forgetful.email})
            wrong = client.post(LOGIN, {"email": person.email, "password": person.password})
            looked = client.get(ME, token=token)
            health = client.get("/health/ready")
            answers = [signed_in, changed, asked, wrong, looked, health]
            with relay:
                if not LONG:  # in the long form the time of the next try comes by itself
                    self.let_time_pass()
                again = client.post(RESET, {"email": forgetful.email})  # its hint wakes the thread that delivers
                until(lambda: len(relay.mails) >= 3 and not self.waiting(), seconds=ARRIVES_SECONDS, what="the mails")
        told = [(a.status, a.code or a.error) for a in [*answers, again]]
        wanted = [(200, ""), (200, ""), (202, ""), (401, "INVALID_CREDENTIALS"), (200, ""), (200, ""), (202, "")]
        receivers = sorted(mail["To"] for mail in relay.mails)
        is_json = all("json" in answer.headers.get("content-type", "") for answer in answers)
        report(
            "E37 mail relay away",
            load="a sign-in, a changed password, two resets, the old password",
            measured={"answers": told, "mails": len(receivers), "slowest_seconds": max(a.seconds for a in answers)},
            bar="the answers of every day, in JSON; the old password refused; 3 mails when the relay is back",
            is_passed=told == wanted and is_json and len(receivers) == 3,
        )
        self.assertEqual(told, wanted)
        self.assertTrue(is_json)
        self.assertEqual(receivers, sorted([person.email, forgetful.email, forgetful.email]))

    def tried(self):
        return self.count("state = 'pending' AND attempts > 0")

    def waiting(self):
        return self.count("state NOT IN ('sent')")

    def count(self, condition):
        with closing(sqlite3.connect(self.stand.database, timeout=10)) as connection:
            return connection.execute(
                f"SELECT count(*) FROM outbox_message WHERE kind <> 'alert' AND {condition}"
            ).fetchone()[0]

    def let_time_pass(self):
        with closing(sqlite3.connect(self.stand.database, timeout=10)) as connection, connection:
            connection.execute("UPDATE outbox_message SET due_at = '2000-01-01 00:00:00' WHERE state = 'pending'")
