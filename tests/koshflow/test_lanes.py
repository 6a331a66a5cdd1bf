"""Which thread a request gets."""

import io
import select
import socket
import sys
import threading
from contextlib import closing
from types import SimpleNamespace

import pytest
from django.test import SimpleTestCase

from koshflow.lanes import HASHING_REQUESTS, Lanes, has_sent_nothing, may_hash
from security.hashing.bulkhead import _process
from tests.accounts.registration.test_register import a_registration
from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha

pytestmark = pytest.mark.embedded

SIGN_IN = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
QUESTION = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Looks(SimpleTestCase):
    """A request that may hash is known by its first bytes; what is not yet known to be another counts as one."""

    def test_requests_that_hash(self):
        for head in (b"POST /api/auth/login HTTP/1.1", b"POST /api/auth/login?x=1", b"POST /api/auth/2fa/setup HTTP"):
            self.assertTrue(may_hash(head), head)

    def test_all_others(self):
        for head in (
            b"GET /api/auth/me HTTP/1.1", b"HEAD / HTTP/1.1", b"OPTIONS * HTTP/1.1", b"POST /api/auth/refresh HTTP",
            b"POST /api/auth/password-reset HTTP/1.1", b"PATCH /api/auth/me", b"DELETE /api/auth/sessions", b"",
        ):  # fmt: skip
            self.assertFalse(may_hash(head), head)

    def test_a_disguise_counts_as_one(self):
        for head in (b"POST /api/auth/%6Cogin HTTP/1.1", b"POST /%61pi/auth/login", b"POST /nothing%"):
            self.assertTrue(may_hash(head), head)
        self.assertFalse(may_hash(b"POST /api/auth/refresh?x=% HTTP/1.1"))

    def test_a_beginning_is_not_trusted(self):
        for head in (b"P", b"POST /api/auth/l", b"POST http://host/api/auth/login HTTP/1.1", b"BREW /pot HTTP/1.1"):
            self.assertTrue(may_hash(head), head)


class Submitted(SimpleTestCase):
    """Each lane has its own threads; who has sent nothing gets none."""

    def setUp(self):
        self.lanes = Lanes(2, is_tls=False)
        self.addCleanup(self.lanes.shutdown)
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            self.client = socket.create_connection(listener.getsockname())
            ours, _ = listener.accept()
        self.enterContext(closing(ours))
        self.enterContext(closing(self.client))
        self.connection = SimpleNamespace(sock=ours, parser=None)

    def lane_of(self, request, lanes=None):
        if request:
            self.client.sendall(request)
            select.select([self.connection.sock], [], [], 10)
        submitted = (lanes or self.lanes).submit(lambda _: threading.current_thread().name, self.connection)
        return submitted.result(timeout=10).partition("_")[0]

    def test_a_sign_in_gets_the_narrow_one(self):
        self.assertEqual(self.lane_of(SIGN_IN), "narrow")

    def test_a_question_gets_the_wide_one(self):
        self.assertEqual(self.lane_of(QUESTION), "wide")

    def test_behind_tls_nothing_can_be_seen(self):
        lanes = Lanes(2, is_tls=True)
        self.addCleanup(lanes.shutdown)
        self.assertEqual(self.lane_of(SIGN_IN, lanes), "wide")

    def test_what_was_read_ahead_counts(self):
        ahead, rest = SIGN_IN[:25], SIGN_IN[25:]
        self.connection.parser = SimpleNamespace(unreader=SimpleNamespace(buf=io.BytesIO(ahead)))
        self.gets_none(b"")
        self.assertEqual(self.lane_of(rest), "narrow")

    def gets_none(self, piece):
        """`piece` leaves the request half: it gets no thread, and the poller waits for more."""
        poller = select.poll()
        poller.register(self.connection.sock, select.POLLIN)
        self.client.sendall(piece)
        if piece:
            select.select([self.connection.sock], [], [], 0.1)
        self.assertTrue(has_sent_nothing(self.lanes.submit(self.fail, self.connection)), piece)
        if sys.platform == "linux":
            self.assertEqual(poller.poll(0), [], "the poller would spin")

    def test_half_a_request_gets_none_until_it_is_whole(self):
        for request, lane, least in ((QUESTION, "wide", len(QUESTION) - 2), (SIGN_IN, "narrow", len(SIGN_IN) - 1)):
            with self.subTest(lane):
                for piece in (request[:2], request[2:30], request[30:least]):
                    self.gets_none(piece)
                self.assertEqual(self.lane_of(request[least:]), lane)
                self.connection.sock.recv(65536)

    def test_half_a_request_that_will_have_no_end_is_for_a_thread(self):
        """Left to the poller, which calls it readable for ever, one of them kept the whole server busy."""
        for lane, half in (("wide", QUESTION[:-2]), ("narrow", SIGN_IN[:-1])):
            with self.subTest(lane):
                self.setUp()
                self.gets_none(half)
                self.client.shutdown(socket.SHUT_WR)
                self.assertEqual(self.lane_of(b""), lane)

    def test_a_body_is_waited_for_by_a_thread_of_the_wide_one(self):
        self.assertEqual(self.lane_of(SIGN_IN.replace(b"login", b"refresh")[:-2]), "wide")

    def framed(self, framing, body=b""):
        """A sign-in whose head says `framing` of its body."""
        return SIGN_IN.replace(b"Content-Length: 2", framing)[:-2] + body

    def test_a_length_is_a_number_however_it_is_written(self):
        for length in (b"2", b"0002", b"00000000002", b" \t2\t "):
            with self.subTest(length):
                self.setUp()
                self.gets_none(self.framed(b"content-length:" + length, b"{"))
                self.assertEqual(self.lane_of(b"}"), "narrow")

    def test_chunks_are_counted_too(self):
        for body in (b"2\r\n{}\r\n0\r\n\r\n", b"1;a=b\r\n{\r\n01\r\n}\r\n0\r\nX: y\r\n\r\n"):
            with self.subTest(body):
                self.setUp()
                self.gets_none(self.framed(b"Transfer-Encoding: chunked", body[:-1]))
                self.assertEqual(self.lane_of(body[-1:]), "narrow")

    def test_an_end_of_chunks_inside_of_one_is_none(self):
        self.gets_none(self.framed(b"Transfer-Encoding: chunked", b"ff\r\n{}\r\n0\r\n\r\n"))

    def test_what_is_too_large_to_be_waited_for_is_refused_by_the_wide_one(self):
        for request, status in (
            (self.framed(b"Content-Length: 32769"), 413),
            (self.framed(b"Content-Length: 1000000"), 413),
            (self.framed(b"Content-Length: 0000040000"), 413),
            (self.framed(b"Content-Length: " + b"9" * 5000), 413),
            (self.framed(b"Transfer-Encoding: chunked", b"8001\r\n"), 413),
            (self.framed(b"Transfer-Encoding: chunked", b"1\r\n \r\n" * 65), 411),
            (self.framed(b"X-Padding: " + b"x" * 20_000), 431),
        ):
            with self.subTest(request[40:90]):
                self.setUp()
                self.assertEqual(self.lane_of(request), "wide")
                self.assertEqual(self.connection.refusal.code.status, status)

    def test_what_the_parser_refuses_as_it_stands_is_for_the_wide_one(self):
        for framing in (b"Content-Length: 2\r\nContent-Length: 2", b"Content-Length: +2", b"Transfer-Encoding: gzip"):
            self.assertEqual(self.lane_of(self.framed(framing)), "wide", framing)
            self.assertNotIn("refusal", vars(self.connection))
            self.connection.sock.recv(65536)

    def test_the_largest_body_in_pieces_is_read_whole(self):
        request = self.framed(b"Content-Length: 32768", b" " * 32768)
        for piece in (request[:40], request[40:20_000], request[20_000:-1]):
            self.gets_none(piece)
        self.assertEqual(self.lane_of(request[-1:]), "narrow")
        self.assertEqual(self.connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT), 1)

    def test_silence_gets_none(self):
        submitted = self.lanes.submit(self.fail, self.connection)
        self.assertTrue(has_sent_nothing(submitted))

    def test_a_closed_connection_is_ended_by_the_server(self):
        self.client.close()
        self.assertFalse(has_sent_nothing(self.lanes.submit(lambda _: False, self.connection)))


class Table(ApiTestCase):
    """The table names every request that waits for the bulkhead."""

    def test_each_that_finds_no_room(self):
        token = self.log_in(asha())["accessToken"]
        bulkhead = _process.get()
        self.addCleanup(bulkhead.forget)
        requests = {
            "/api/auth/login": {"email": "asha@lotus.example.in", "password": PASSWORD},
            "/api/auth/register": a_registration(),
            "/api/auth/change-password": {"currentPassword": PASSWORD, "newPassword": "Heron-Delta-58-Quay"},
            "/api/auth/password-reset/confirm": {"token": "t" * 43, "newPassword": "Heron-Delta-58-Quay"},
            "/api/auth/2fa/setup": {"password": PASSWORD},
        }
        bulkhead._state.running = bulkhead.concurrency
        bulkhead._state.waiters.extend([None] * bulkhead.queue)
        for path, body in requests.items():
            with self.subTest(path):
                self.assertProblem(self.post(path, body, token=token), 503, "BUSY")
                self.assertTrue(may_hash(f"POST {path} HTTP/1.1".encode()))

    def test_it_names_no_route_that_is_not_there(self):
        for request in HASHING_REQUESTS:
            path = request.removeprefix(b"POST ").decode()
            self.assertNotEqual(self.post(path.removesuffix("/") if path.startswith("/api") else path).status_code, 404)
