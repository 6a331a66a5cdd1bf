"""Which thread a request gets."""

import io
import select
import socket
import sys
import threading
from contextlib import closing
from types import SimpleNamespace

from django.test import SimpleTestCase

from koshflow.lanes import HASHING_REQUESTS, Lanes, has_sent_nothing, may_hash
from security.hashing.bulkhead import _process
from tests.accounts.registration.test_register import a_registration
from tests.base import ApiTestCase
from tests.factories import PASSWORD, asha

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

    def test_one_whose_end_cannot_be_seen_holds_none_of_the_few(self):
        for field in (b"Content-Length: 999999", b"transfer-encoding: chunked"):
            self.assertEqual(self.lane_of(SIGN_IN.replace(b"Content-Length: 2", field)), "wide", field)
            self.connection.sock.recv(65536)

    def test_a_thread_reads_every_byte_of_one_whose_head_came_in_pieces(self):
        large = SIGN_IN.replace(b"Content-Length: 2", b"Content-Length: 999999")
        self.client.sendall(large[:40])
        self.assertTrue(has_sent_nothing(self.lanes.submit(self.fail, self.connection)))
        self.assertEqual(self.lane_of(large[40:]), "wide")
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
