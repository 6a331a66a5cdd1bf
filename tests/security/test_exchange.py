"""A request of ours is over in time, whatever the other side does, also over TLS."""

import socket
import ssl
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import pytest

from security.exchange import ExchangeFailed, Reply, post
from tests.security.siem.receivers import server_context

pytestmark = pytest.mark.embedded  # no store is asked

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PATIENCE_SECONDS = 0.6
PAUSE_SECONDS = 0.05
# Who waits anew for each byte has the whole answer after this time; far enough from our patience for a busy machine.
TRICKLE_SECONDS = PAUSE_SECONDS * len(ANSWER)


class MovedClock:
    """The clock of an exchange, which a test may put forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def after(self, seconds: float, act):
        """`act`, as if it took that much longer."""

        def slow(*arguments, **more):
            self._ahead += seconds
            return act(*arguments, **more)

        return slow


class Trickler:
    """A server of one connection that pauses before each byte from `trickles_from` of its answer on.

    `shakes` is whether it takes part in the handshake of TLS, `reads` whether it takes the request.
    """

    def __init__(self, *, tls: ssl.SSLContext | None, trickles_from=0, answer=ANSWER, shakes=True, reads=True) -> None:
        self._tls, self._from, self._answer, self._shakes, self._reads = tls, trickles_from, answer, shakes, reads
        self._server = socket.create_server(("127.0.0.1", 0))
        self._is_over = threading.Event()
        self.request = b""
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.getsockname()[1]}/"

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._server.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._server.accept()
            if not self._shakes:
                self._is_over.wait()
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self._speak(connection)

    def _speak(self, connection: socket.socket) -> None:
        while self._reads and b"\r\n\r\n{}" not in self.request:
            self.request += connection.recv(65536)
        if not self._reads:
            self._is_over.wait()
        connection.sendall(self._answer[: self._from])
        for place in range(self._from, len(self._answer)):
            if self._is_over.wait(PAUSE_SECONDS):
                return
            connection.sendall(self._answer[place : place + 1])


class InTime(TestCase):
    """The whole takes no longer than it may."""

    def setUp(self):
        self.tls, authority = server_context(Path(self.enterContext(tempfile.TemporaryDirectory())))
        self.trusting = ssl.create_default_context(cafile=str(authority))
        self.enterContext(patch("security.exchange.ssl.create_default_context", return_value=self.trusting))
        self.clock = MovedClock()
        self.enterContext(patch("security.exchange.time", self.clock))

    def post(self, server: Trickler, body: bytes = b"{}", **more) -> Reply:
        asked = {"headers": {}, "patience_seconds": PATIENCE_SECONDS, "most_bytes": 1000} | more
        return post(server.url, body, **asked)

    def assertGivenUp(self, server: Trickler, body: bytes = b"{}", **more) -> None:
        began = time.monotonic()
        with self.assertRaises(ExchangeFailed):
            self.post(server, body, **more)
        self.assertLess(time.monotonic() - began, TRICKLE_SECONDS)

    def assertEndsInTime(self, body: bytes = b"{}", **kind):
        for tls in (None, self.tls):
            with self.subTest(is_tls=tls is not None), Trickler(tls=tls, **kind) as server:
                self.assertGivenUp(server, body)

    def test_an_answer_is_an_answer(self):
        for tls in (None, self.tls):
            for answer in (ANSWER, ANSWER.replace(b"Connection: close\r\n", b"")):
                with (
                    self.subTest(is_tls=tls is not None),
                    Trickler(tls=tls, answer=answer, trickles_from=1000) as server,
                ):
                    self.assertEqual(self.post(server), Reply(200, b"ok"))
                self.assertTrue(server.request.startswith(b"POST / HTTP/1.1\r\n"))

    def test_a_head_that_trickles(self):
        self.assertEndsInTime()

    def test_a_body_that_trickles(self):
        answer = ANSWER.replace(b": 2", b": 100") + b"." * 98
        self.assertEndsInTime(answer=answer, trickles_from=len(ANSWER))

    def test_a_head_that_trickles_after_a_handshake_that_took_most_of_the_time(self):
        slow = self.clock.after(9.5, self.trusting.wrap_socket)
        with Trickler(tls=self.tls) as server, patch.object(self.trusting, "wrap_socket", slow):
            self.assertGivenUp(server, patience_seconds=10)

    def test_a_handshake_that_takes_it_all_after_a_slow_connect(self):
        slow = self.clock.after(9.5, socket.create_connection)
        with (
            Trickler(tls=self.tls, shakes=False) as server,
            patch("security.exchange.socket.create_connection", slow),
        ):
            self.assertGivenUp(server, patience_seconds=10)

    def test_who_does_not_read_what_we_send(self):
        self.assertEndsInTime(reads=False, body=b"x" * 8_000_000)

    def test_a_name_whose_addresses_do_not_answer(self):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{end}", 443)) for end in range(1, 9)]
        given = []

        def time_out(_where, seconds):
            given.append(seconds)
            raise TimeoutError

        nobody = self.clock.after(PATIENCE_SECONDS / 3, time_out)

        with (
            patch("security.exchange.socket.getaddrinfo", return_value=found),
            patch("security.exchange.socket.create_connection", nobody),
            self.assertRaises(ExchangeFailed),
        ):
            post("https://log.example.in/", b"{}", headers={}, patience_seconds=PATIENCE_SECONDS, most_bytes=9)
        self.assertLessEqual(len(given), 4)
        self.assertEqual(sorted(given, reverse=True), given)

    def test_more_than_may_be(self):
        answer = ANSWER.replace(b": 2", b": 3000") + b"." * 2998
        with Trickler(tls=self.tls, answer=answer, trickles_from=9000) as server, self.assertRaises(ExchangeFailed):
            self.post(server)

    def test_what_is_around_an_answer_is_bounded_too(self):
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for what, answer in {
            "a chunk of a negative size": chunked + b"-1\r\n" + b"." * 1_000_000,
            "a trailer": chunked + b"0\r\n" + b"X: y\r\n" * 100_000,
            "answers before the answer": b"HTTP/1.1 100 Continue\r\n\r\n" * 30_000 + ANSWER,
        }.items():
            with (
                self.subTest(what),
                Trickler(tls=None, answer=answer, trickles_from=len(answer)) as server,
                self.assertRaisesRegex(ExchangeFailed, "^its answer is too long$"),
            ):
                self.post(server, patience_seconds=30)

    def test_an_answer_that_was_cut(self):
        answer = ANSWER.replace(b": 2", b": 30")
        with Trickler(tls=None, answer=answer, trickles_from=9000) as server, self.assertRaises(ExchangeFailed):
            self.post(server)


class NoExchange(TestCase):
    """What cannot even begin fails as an exchange does: whoever asks knows no other failure."""

    def assertFails(self, url: str):
        with self.assertRaises(ExchangeFailed) as failed:
            post(url, b"{}", headers={}, patience_seconds=PATIENCE_SECONDS, most_bytes=1000)
        self.assertNotIn("hooks", str(failed.exception))

    def test_what_is_no_url(self):
        for url in ("https://[hooks", "https://hooks:port/", "http://hooks\n/", f"http://hooks.{'a' * 64}.in/"):
            with self.subTest(url):
                self.assertFails(url)

    def test_authorities_that_cannot_be_read(self):
        with patch("security.exchange.ssl.create_default_context", side_effect=FileNotFoundError):
            self.assertFails("https://hooks.example.in/")
