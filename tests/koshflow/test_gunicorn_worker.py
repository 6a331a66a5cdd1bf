"""What the worker answers where the fault is ours, and the event of each refusal; what clients do is in
`test_unreadable`.
"""

import json
import signal
import socket
import threading
from types import SimpleNamespace
from unittest import TestCase, mock
from unittest.mock import patch

import pytest
from django.db import OperationalError
from gunicorn.http.errors import InvalidRequestLine, InvalidResponseHeader, InvalidResponseHeaderName, LimitRequestLine
from gunicorn.workers.gthread import PollableMethodQueue

from koshflow import unreadable
from koshflow.gunicorn_worker import DrainingWorker
from koshflow.lanes import Lanes
from monitoring.metrics import metrics
from security.audit import Allowance
from security.audit.models import AuditEvent, AuditPii
from tests.base import ApiTestCase
from tests.security.audit.minutes import Minutes

pytestmark = pytest.mark.embedded


class RefusingCase(ApiTestCase):
    """Errors of the parser, at the end of a socket."""

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.object(unreadable, "allowance", Allowance(unreadable.MOST_EVENTS)))
        self.enterContext(mock.patch.object(unreadable, "close_old_connections"))  # the test's own is one

    def refusal(self, error: Exception, address: str = "192.0.2.1") -> tuple[int, str, str]:
        """Status, code and head of the answer to `error` of a client at `address`."""
        client, server = socket.socketpair()
        with client, server:
            # Of the worker nothing else is used, and a whole one wants a server around it.
            worker = SimpleNamespace(wsgi=unreadable)
            DrainingWorker.handle_error(worker, None, server, (address, 4711), error)  # type: ignore[arg-type]
            server.shutdown(socket.SHUT_WR)
            head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["code"], head.decode()

    def answer_to(self, error: Exception) -> tuple[int, str]:
        """Status and code of the answer to `error`."""
        return self.refusal(error)[:2]


class Refusing(RefusingCase):
    """A client is answered whatever failed, and told what is theirs to mend and what is ours."""

    def test_a_header_of_our_own_answer_is_our_fault(self):
        for error in (InvalidResponseHeader("X-Name: a\nb"), InvalidResponseHeaderName("X Name"), KeyError("x")):
            with self.subTest(repr(error)), self.assertLogs("koshflow.access", "ERROR") as logs:
                self.assertEqual(self.answer_to(error), (500, "INTERNAL_ERROR"))
                self.assertIs(logs.records[0].exc_info[1], error)

    def test_a_request_line_is_the_clients(self):
        with self.assertLogs("koshflow.access", "WARNING") as logs:
            self.assertEqual(self.answer_to(InvalidRequestLine("GET")), (400, "MALFORMED_REQUEST"))
        self.assertIsNone(logs.records[0].exc_info)

    def test_a_counter_that_fails_costs_nobody_their_answer(self):
        for failing in ("koshflow.unreadable.metrics", "monitoring.metrics.Metrics.refused"):
            with self.subTest(failing), patch(failing, side_effect=OSError("no space left")):
                with self.assertLogs("koshflow.access", "ERROR") as logs:
                    self.assertEqual(self.answer_to(InvalidRequestLine("GET")), (400, "MALFORMED_REQUEST"))
                self.assertEqual(logs.records[-1].getMessage(), "refusal_not_counted")

    def test_each_is_counted(self):
        refusals = metrics().refusals.labels("MALFORMED_REQUEST")
        before = refusals._value.get()
        with self.assertLogs("koshflow.access", "WARNING"):
            self.answer_to(InvalidRequestLine("GET"))
        self.assertEqual(refusals._value.get(), before + 1)


class Marks(RefusingCase):
    """A refusal leaves an event: one a client, code and minute, and so many a minute however many clients send."""

    def events(self):
        events = AuditEvent.objects.filter(type="request.unreadable_refused")
        return [(event.outcome, event.parsed_leaf().data) for event in events]

    def refuse(self, *addresses, error=None):
        with self.assertLogs("koshflow.access", "WARNING"):
            return [self.refusal(error or InvalidRequestLine("GET"), address)[0] for address in addresses]

    def test_the_first_of_a_minute_is_told_and_the_next_says_how_many_followed(self):
        minutes = Minutes(self)
        self.refuse(*["192.0.2.1"] * 4)
        minutes.pass_one()
        self.refuse("192.0.2.1")
        told = {"code": "MALFORMED_REQUEST", "reason": "InvalidRequestLine", "held_back": 0}
        self.assertEqual(self.events(), [("refused", told | {"repeats": 0}), ("refused", told | {"repeats": 3})])

    def test_it_holds_the_clients_address_sealed(self):
        self.refuse("192.0.2.1")
        [event] = AuditEvent.objects.filter(type="request.unreadable_refused")
        self.assertEqual(AuditPii.objects.get(event=event).field, "address")

    def test_another_client_and_another_code_have_one_of_their_own(self):
        self.refuse("192.0.2.1", "192.0.2.2")
        self.refuse("192.0.2.1", error=LimitRequestLine(5000, 4094))
        self.assertEqual(len(self.events()), 3)

    def test_however_many_clients_send(self):
        minutes = Minutes(self)
        with mock.patch.object(unreadable, "allowance", Allowance(2)):
            self.refuse(*(f"192.0.2.{number}" for number in range(5)))
            self.assertEqual(len(self.events()), 2)
            minutes.pass_one()
            self.refuse("192.0.2.9")
        self.assertEqual(self.events()[-1][1]["held_back"], 3)

    def test_a_fault_of_ours_leaves_none(self):
        self.refuse("192.0.2.1", error=KeyError("x"))
        self.assertEqual(self.events(), [])

    def test_one_that_cannot_be_marked_is_503_and_the_next_tries_again(self):
        away = mock.patch("security.audit.services.record", side_effect=OperationalError("away"))
        with away, self.assertLogs("koshflow.access", "WARNING"):
            for _ in range(2):
                status, code, head = self.refusal(InvalidRequestLine("GET"))
                self.assertEqual((status, code), (503, "SERVICE_UNAVAILABLE"))
                self.assertIn("\r\nRetry-After: 1", head)
        self.assertEqual(self.refuse("192.0.2.1"), [400])
        self.assertEqual(self.events()[0][1]["repeats"], 2)


class Quitting(TestCase):
    """Ctrl-C reaches the worker in the midst of anything, and never waits for what the worker itself holds."""

    def test_while_a_connection_is_handed_to_a_thread(self):
        worker = DrainingWorker.__new__(DrainingWorker)
        worker.alive, worker.method_queue = True, PollableMethodQueue()
        worker.method_queue.init()
        self.addCleanup(worker.method_queue.close)
        worker.tpool = Lanes(8, is_tls=False)
        self.addCleanup(worker.tpool.shutdown)
        quitting = threading.Thread(target=worker.handle_quit, args=(signal.SIGQUIT, None), daemon=True)
        with worker.tpool.wide._shutdown_lock:  # as within `submit`
            quitting.start()
            quitting.join(5)
            self.assertFalse(quitting.is_alive())
        self.assertFalse(worker.alive)
