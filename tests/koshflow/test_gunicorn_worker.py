"""What the worker answers where the fault is ours; what clients do to it is in `test_unreadable`."""

import json
import socket
from unittest.mock import patch

from django.test import SimpleTestCase
from gunicorn.http.errors import InvalidRequestLine, InvalidResponseHeader, InvalidResponseHeaderName

from koshflow.gunicorn_worker import DrainingWorker
from monitoring.metrics import metrics


class Refusing(SimpleTestCase):
    """A client is answered whatever failed, and told what is theirs to mend and what is ours."""

    def answer_to(self, error: Exception) -> tuple[int, str]:
        """Status and code of the answer to `error`."""
        client, server = socket.socketpair()
        with client, server:
            # Of the worker nothing is used, and a whole one wants a server around it.
            DrainingWorker.handle_error(None, None, server, None, error)  # type: ignore[arg-type]
            server.shutdown(socket.SHUT_WR)
            head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["code"]

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
        for failing in ("koshflow.gunicorn_worker.metrics", "monitoring.metrics.Metrics.refused"):
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
