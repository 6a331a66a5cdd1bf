"""Sentry hears of each failure once and of nobody, and no answer waits for it."""

import json
import socket
import sqlite3
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import pytest
from django.conf import settings
from django.test import override_settings

from monitoring.errors import start_sentry
from monitoring.errors.sentry import MOST_WAITING, SentryHandler, SentrySender, make_client
from tests.base import CommittingApiTestCase
from tests.koshflow.servers import Launch, an_environment
from tests.monitoring.channels.receiver import Receiver
from tests.monitoring.errors.failing import SECRET, FailingMixin, of_one_place
from tests.monitoring.metrics.counting import CountingMixin
from tests.waiting import until

pytestmark = pytest.mark.embedded

KEY = "0123456789abcdef0123456789abcdef"
# What each failing request carries, and what the failure quotes: none of it may leave.
MARKS = (SECRET, "a@b.example.in", "marked-password", "marked-cookie", "marked-agent", "ABCDE1234F", "127.0.0.1")


def caused(number: int) -> None:
    """A failure with a cause, local variables and texts that hold what must not leave."""
    password = "marked-password"
    try:
        of_one_place(number)
    except RuntimeError as error:
        raise LookupError(f"{password!r}, PAN ABCDE1234F, for a@b.example.in") from error


class SentryTestCase(CountingMixin, FailingMixin, CommittingApiTestCase):
    """A server that tells a Sentry of its failures."""

    @contextmanager
    def telling(self, port: int):
        with override_settings(SENTRY_DSN=f"http://{KEY}@127.0.0.1:{port}/prefix/42"):
            sender = start_sentry()
            try:
                yield sender
            finally:
                sender.stop(timeout_seconds=30)

    def fail_marked(self, how=caused):
        with patch("accounts.login.views.log_in", side_effect=lambda **_: how(1)):
            return self.client.post(
                "/api/auth/login?pan=ABCDE1234F",
                {"email": "a@b.example.in", "password": "marked-password"},
                content_type="application/json",
                headers={"user-agent": "marked-agent", "cookie": "sessionid=marked-cookie"},
            )


class Told(SentryTestCase):
    """One envelope a failure, of members that we chose."""

    def told(self, receiver):
        until(lambda: receiver.got, what="the envelope")
        return receiver.got[0]

    def event(self, receiver):
        return json.loads(self.told(receiver).body.splitlines()[2])

    def test_a_failure_arrives_once_and_says_where_it_happened(self):
        with Receiver() as receiver, self.telling(receiver.server.server_port):
            answer = self.assertProblem(self.ask_and_fail(caused), 500, "INTERNAL_ERROR")
            event = self.event(receiver)
            time.sleep(0.3)  # a second one would have come by now
            self.assertEqual(len(receiver.got), 1)
        got = receiver.got[0]
        self.assertEqual(got.path, "/prefix/api/42/envelope/")
        self.assertIn(f"sentry_key={KEY}", got.headers["x-sentry-auth"])
        self.assertEqual(event["tags"], {"request_id": answer["requestId"], "route": "/api/auth/login"})
        self.assertEqual((event["release"], event["environment"]), (settings.VERSION, settings.ENVIRONMENT))
        self.assertEqual(event["fingerprint"], [self.groups()[0].fingerprint])
        cause, error = event["exception"]["values"]
        self.assertEqual((cause["type"], error["type"]), ("RuntimeError", "LookupError"))
        last = error["stacktrace"]["frames"][-1]
        self.assertEqual((last["filename"], last["function"]), ("tests/monitoring/errors/test_sentry.py", "caused"))
        self.assertTrue(last["in_app"])

    def test_nothing_of_a_person_or_a_secret_is_in_it(self):
        with Receiver() as receiver, self.telling(receiver.server.server_port):
            self.assertEqual(self.fail_marked().status_code, 500)
            body = self.told(receiver).body.decode()
        for mark in (*MARKS, socket.gethostname(), "vars", "context_line", settings.SECRET_KEY):
            self.assertNotIn(mark, body)
        allowed = {"event_id", "timestamp", "platform", "level", "logger", "release", "environment"}
        self.assertEqual(
            set(json.loads(body.splitlines()[2])), allowed | {"fingerprint", "transaction", "tags", "exception"}
        )

    def test_what_other_code_adds_to_an_event_stays_here(self):
        with Receiver() as receiver:
            client = make_client(f"http://{KEY}@127.0.0.1:{receiver.server.server_port}/42")
            client.capture_event({"level": "error", "request": {"data": SECRET}, "user": {"email": SECRET}})
            self.assertNotIn(SECRET, self.told(receiver).body.decode())

    def test_a_refusal_is_not_told(self):
        with Receiver() as receiver, self.telling(receiver.server.server_port):
            self.get("/api/auth/me")
            self.ask_and_fail()
            self.assertEqual(self.event(receiver)["exception"]["values"][0]["type"], "RuntimeError")

    def test_without_a_dsn_there_is_no_thread(self):
        self.assertIsNone(start_sentry())


class Away(SentryTestCase):
    """A Sentry that is away, refuses or hangs costs no answer, and one line says so."""

    def assert_answers_are_the_same(self, port):
        with self.telling(port):
            started = time.monotonic()
            for number in range(5):
                self.assertProblem(self.ask_and_fail(number=number), 500, "INTERNAL_ERROR")
            self.assertLess(time.monotonic() - started, 2)
        self.assertEqual(self.groups()[0].count, 5)

    def test_nobody_listens(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and does not listen
            self.assert_answers_are_the_same(taken.getsockname()[1])

    def test_it_never_answers(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            with patch("monitoring.errors.sentry.PATIENCE_SECONDS", 2.5):
                self.assert_answers_are_the_same(silent.getsockname()[1])

    def test_that_it_refuses_is_said_once_and_not_told_to_it(self):
        with (
            Receiver(status=403) as receiver,
            patch("monitoring.errors.sentry.PAUSE_SECONDS", 0),
            self.assertLogs("monitoring.errors", "WARNING") as logs,
            self.telling(receiver.server.server_port),
        ):
            self.ask_and_fail()
            self.ask_and_fail()
            until(lambda: len(receiver.got) == 2, what="both")
        self.assertEqual([record.msg for record in logs.records], ["sentry_not_told"])
        self.assertEqual(logs.records[0].error, "it answered 403")
        until(lambda: self.value("kf_sentry_dropped_total") == 2, what="both to be counted")

    def test_a_redirect_leads_nowhere(self):
        with (
            Receiver() as other,
            Receiver(status=307, location=f"http://127.0.0.1:{other.server.server_port}/") as receiver,
            self.telling(receiver.server.server_port),
        ):
            self.ask_and_fail()
            until(lambda: receiver.got, what="the envelope")
        self.assertEqual(other.got, [])

    def test_what_waits_is_bounded(self):
        handler = SentryHandler()
        with self.assertLogs("security.errors") as logs:
            self.ask_and_fail()
        for _ in range(MOST_WAITING + 5):
            handler.handle(logs.records[0])
        self.assertEqual(handler.waiting.qsize(), MOST_WAITING)
        self.assertEqual(self.value("kf_sentry_dropped_total"), 5)

    def test_a_fault_of_ours_costs_no_answer(self):
        with (
            Receiver() as receiver,
            self.telling(receiver.server.server_port),
            patch("monitoring.errors.sentry.event_of", side_effect=ValueError),
        ):
            self.assertProblem(self.ask_and_fail(), 500, "INTERNAL_ERROR")
        self.assertEqual(receiver.got, [])

    def test_after_what_could_not_be_sent_it_pauses(self):
        sender = SentrySender(f"http://{KEY}@127.0.0.1:9/42")
        sender.handler.waiting.put({"level": "error"})
        with patch.object(sender._ended, "wait", side_effect=lambda _: sender._ended.set()) as wait:
            sender.run()
        self.addCleanup(sender.handler.close)
        wait.assert_called_once_with(30.0)


class Served(TestCase):
    """The server that an operator starts tells Sentry of what fails in it."""

    def test_a_table_that_is_gone(self):
        with tempfile.TemporaryDirectory() as home, Receiver() as receiver:
            folder = Path(home, "data")
            dsn = f"http://{KEY}@127.0.0.1:{receiver.server.server_port}/42"
            with Launch(an_environment(folder, SENTRY_DSN=dsn), Path(home, "log")) as launch:
                launch.until_it_answers()
                with closing(sqlite3.connect(folder / "koshflow.sqlite3", timeout=30)) as database, database:
                    database.execute("ALTER TABLE accounts_user RENAME TO gone")
                where = f"http://127.0.0.1:{launch.environment['PORT']}/api/auth/login"
                body = json.dumps({"email": "a@b.example.in", "password": "marked-password"}).encode()
                asked = urllib.request.Request(where, body, {"Content-Type": "application/json"})
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(asked, timeout=10)
                self.assertGreaterEqual(refused.exception.code, 500)
                until(lambda: any(b"OperationalError" in got.body for got in receiver.got), what="the envelope")
            told = b"".join(got.body for got in receiver.got).decode()
        for mark in MARKS:
            self.assertNotIn(mark, told)
