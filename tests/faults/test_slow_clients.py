"""Clients that begin a request and do not end it, on a server that no proxy stands before."""

import json
import select
import socket
import time
from contextlib import closing

import psutil
import pytest

from tests.faults.client import PATIENCE_SECONDS, Client
from tests.faults.stand import EmbeddedCase
from tests.waiting import until

pytestmark = pytest.mark.embedded

THREADS = 8
HEAD = b"POST /api/auth/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 1000\r\n"
JSON, TEXT = HEAD % b"application/json", HEAD % b"text/plain"
# Without an end of the whole request's time, this many pieces would be waited for.
PIECES, PIECE_SECONDS = 200, 0.1


class SlowClients(EmbeddedCase):
    """A request that does not arrive in time is a 408, and nobody else waits longer than that for a thread."""

    server = None

    def setUp(self):
        super().setUp()
        mine = type(self)
        if mine.server is None:  # slow clients harm none for longer than they stay
            mine.server = self.serve(None, "--worker-class", "tests.faults.hasty.HastyWorker", is_for_class=True)
        until(lambda: not self.connected(), seconds=PATIENCE_SECONDS, what="the server to see the last clients gone")

    def connected(self):
        """The connections that the server still holds open."""
        held = [c for pid in self.server.workers for c in psutil.Process(pid).net_connections("tcp")]
        return [c for c in held if c.laddr.port == self.server.port and c.status != psutil.CONN_LISTEN]

    def begin(self, raw):
        client = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE_SECONDS)
        self.enterContext(closing(client))
        client.sendall(raw)
        return client

    def end(self, client):
        """Status line and document of the one answer, after which the connection is closed."""
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertNotIn(b"HTTP/1.1", body)
        status = int(head.split()[1])
        if status == 408:
            self.assertIn(b"\r\nConnection: close", head)
        return status, json.loads(body)["code"]

    def trickle(self, client):
        """Send piece after piece, each in time, until there is an answer."""
        for _ in range(PIECES):
            if select.select([client], [], [], PIECE_SECONDS)[0]:
                return
            client.sendall(b" ")
        self.fail("it was waited for to the end")

    def test_half_a_body_on_every_thread(self):
        held = [self.begin(JSON + b"\r\n{") for _ in range(THREADS + 4)]
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
        self.assertEqual([self.end(client) for client in held], [(408, "REQUEST_TIMEOUT")] * len(held))

    def test_half_the_headers_on_every_thread(self):
        held = [self.begin(JSON) for _ in range(THREADS + 4)]
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
        self.assertEqual([self.end(client) for client in held], [(408, "REQUEST_TIMEOUT")] * len(held))

    def test_a_body_that_never_ends(self):
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
            client = self.begin(JSON + b"\r\n{")
            self.trickle(client)
            self.assertEqual(self.end(client), (408, "REQUEST_TIMEOUT"))
            # A kept-alive connection has its time anew for each request.
            self.assertEqual(visitor.get("/health/live").status, 200)

    def test_headers_that_never_end(self):
        client = self.begin(JSON + b"X-Padding: ")
        self.trickle(client)
        self.assertEqual(self.end(client), (408, "REQUEST_TIMEOUT"))

    def test_chunks_that_never_end(self):
        client = self.begin(JSON.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        self.assertEqual(self.end(client), (408, "REQUEST_TIMEOUT"))

    def test_a_body_that_nobody_wanted_is_answered_once(self):
        self.assertEqual(self.end(self.begin(TEXT + b"\r\nhalf")), (415, "UNSUPPORTED_MEDIA_TYPE"))

    def test_clients_who_stay_after_their_last_answer(self):
        """Many enough for the server's own patience of 2 s each, one after the other, to outlast the visitor's."""
        held = [
            self.begin(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            for _ in range(3 * THREADS)
        ]
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
        self.assertEqual({client.recv(12) for client in held}, {b"HTTP/1.1 200"})

    def test_clients_who_say_nothing_hold_no_thread(self):
        silent = [self.begin(b"") for _ in range(3 * THREADS)]
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
        self.assertEqual({client.recv(1) for client in silent}, {b""})  # closed in the end, without a word

    def test_who_speaks_late_is_heard(self):
        client = self.begin(b"")
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(client.recv(12), b"HTTP/1.1 200")

    def test_half_sent_sign_ins_hold_nobody(self):
        sign_in = JSON.replace(b"refresh", b"login") + b"\r\n{"
        for begun in (
            sign_in,
            sign_in.replace(b"1000", b"0001000"),
            sign_in.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked").replace(b"{", b"ff\r\n{"),
            sign_in.replace(b"login", b"%6Cogin"),
        ):
            with self.subTest(begun[:180]):
                held = [self.begin(begun) for _ in range(3 * THREADS)]
                with Client(self.server.port) as visitor:
                    self.assertEqual(visitor.get("/health/live").status, 200)
                    answer = visitor.post("/api/auth/login", {"email": "nobody@lotus.example.in", "password": "wrong"})
                    self.assertEqual(answer.status, 401)
                    self.assertEqual(select.select(held, [], [], 0)[0], [], "the visitor waited for their end")
                self.assertEqual([self.end(client) for client in held], [(408, "REQUEST_TIMEOUT")] * len(held))

    def test_a_sign_in_too_large_to_wait_for_is_refused_at_once(self):
        sign_in = JSON.replace(b"refresh", b"login") + b"\r\n{"
        for lengths, refusal in (
            (b"1000000", (413, "PAYLOAD_TOO_LARGE")),
            (b"40000", (413, "PAYLOAD_TOO_LARGE")),
            (b"9" * 30, (413, "PAYLOAD_TOO_LARGE")),
            (b"60\r\nContent-Length: 60", (400, "MALFORMED_REQUEST")),
        ):
            with self.subTest(lengths):
                self.assertEqual(self.end(self.begin(sign_in.replace(b"1000", lengths))), refusal)

    def test_who_was_refused_and_sends_no_body_holds_no_thread(self):
        """Each waited for by a thread to the end of its patience, they would keep the visitor out for 3 s."""
        began = time.monotonic()
        held = [self.begin(TEXT + b"\r\n") for _ in range(3 * THREADS)]
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual([self.end(client) for client in held], [(415, "UNSUPPORTED_MEDIA_TYPE")] * len(held))

    def test_who_was_refused_and_sends_the_body_late_hears_why(self):
        client = self.begin(TEXT + b"\r\n")
        self.assertTrue(select.select([client], [], [], PATIENCE_SECONDS)[0])
        time.sleep(0.3)  # at once it would still be in time, and the connection be kept
        client.sendall(b"x" * 1000)
        self.assertEqual(self.end(client), (415, "UNSUPPORTED_MEDIA_TYPE"))

    def test_who_adds_to_half_a_head_gains_no_time(self):
        """Put behind those who came in the meantime, it lived as long as they."""
        client = self.begin(JSON)
        until(lambda: bool(self.connected()), seconds=PATIENCE_SECONDS, what="the server to see the client")
        time.sleep(0.6)
        younger = [self.begin(b"") for _ in range(THREADS)]
        client.sendall(b"X")
        with Client(self.server.port) as visitor:
            while not select.select([client], [], [], PIECE_SECONDS)[0]:  # the server looks whenever somebody asks
                self.assertEqual(visitor.get("/health/live").status, 200)
        self.assertEqual(select.select(younger, [], [], 0)[0], [])
        self.assertEqual(self.end(client), (408, "REQUEST_TIMEOUT"))

    def test_clients_who_never_read_their_answers(self):
        ask = b"GET /api-docs/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40
        for _ in range(3 * THREADS):
            client = socket.socket()
            self.enterContext(closing(client))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self.server.port))
            client.setblocking(False)
            client.send(ask)
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)

    def test_a_request_in_pieces_is_read(self):
        body = b"{}".rjust(1000)
        client = self.begin(JSON)
        client.sendall(b"Connection: close\r\n\r\n" + body[:999])
        client.sendall(body[999:])
        self.assertEqual(self.end(client), (400, "REFRESH_TOKEN_REQUIRED"))


class FullDoor(EmbeddedCase):
    """Whoever has not said what they want makes room for who has, however many they are (RFC 9112 section 9.5)."""

    PLACES = 40

    def setUp(self):
        super().setUp()
        mine = type(self)
        if "server" not in vars(mine):
            mine.server = self.serve(None, "--worker-connections", str(self.PLACES), is_for_class=True)

    def crowd(self, raw):
        """More clients than there are places, who say `raw` and no more."""
        held = []
        for _ in range(3 * self.PLACES):
            client = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE_SECONDS)
            self.enterContext(closing(client))
            client.sendall(raw)
            held.append(client)
        return held

    def keeps_nobody_out(self, raw):
        held = self.crowd(raw)
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
            ended = select.select(held, [], [], 0)[0]
            # Had the visitor waited for their time to be over, none of them were left.
            self.assertLess(len(ended), 3 * self.PLACES)
            self.assertEqual(visitor.get("/health/live").status, 200)

    def test_a_crowd_that_is_silent(self):
        self.keeps_nobody_out(b"")

    def test_a_crowd_with_half_a_head(self):
        self.keeps_nobody_out(JSON)

    def test_a_crowd_with_half_a_sign_in(self):
        self.keeps_nobody_out(JSON.replace(b"refresh", b"login") + b"\r\n{")

    def test_a_crowd_that_was_answered_goes_before_a_newcomer(self):
        """Without that the few places left to newcomers were all that a second crowd had to fill."""
        ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        kept = self.crowd(ask)
        self.assertEqual({client.recv(12) for client in kept}, {b"HTTP/1.1 200"})
        visitor = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE_SECONDS)
        self.enterContext(closing(visitor))
        silent = [
            self.enterContext(closing(socket.create_connection(("127.0.0.1", self.server.port))))
            for _ in range(self.PLACES // 4)
        ]
        time.sleep(1)
        visitor.sendall(ask)
        self.assertEqual(visitor.recv(12), b"HTTP/1.1 200")
        self.assertEqual(select.select(silent, [], [], 0)[0], [])

    def test_a_crowd_that_stays_after_its_last_answer(self):
        """Each waited for by a thread for 2 s, they would keep the visitor out for half a minute."""
        held = self.crowd(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        began = time.monotonic()
        with Client(self.server.port) as visitor:
            self.assertEqual(visitor.get("/health/live").status, 200)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual({client.recv(12) for client in held}, {b"HTTP/1.1 200"})
