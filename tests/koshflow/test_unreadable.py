"""What the server process refuses before the application sees it, over a raw socket."""

import json
import socket
import tempfile
from pathlib import Path
from unittest import TestCase

import pytest

from tests.performance.servers import product
from tests.server import Server

pytestmark = pytest.mark.embedded
CANARY = "canary-token-777"
WEB = "https://app.lotus.example.in"


class Unreadable(TestCase):
    """One problem document, the fixed headers, one more refusal counted, and nothing of the client's own text in
    answer or log.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        # Without static files, which take seconds to make: none of these requests asks for any.
        project = product(database_url="", redis_url="", folder=Path(folder.name) / "var", bcrypt_rounds=4)
        project.environment |= {"WEB_WORKERS": "1", "OPERATOR_NETWORKS": "127.0.0.1/32", "CORS_ALLOWED_ORIGINS": WEB}
        project.environment |= {"TRUSTED_PROXIES": "127.0.0.1/32"}
        project.run("django", "migrate", "--verbosity", "0")
        cls.server = Server(
            *("--config", "python:koshflow.gunicorn_conf", "koshflow.wsgi"),
            folder=project.folder,
            environment=project.environment,
            probe="/health/live",
            is_warm=True,
        )
        cls.addClassCleanup(cls.server.stop)

    def send(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as client:
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:]), body

    def counted(self, code: str) -> int:
        """How many refusals with `code` /metrics tells of."""
        return self.metric(f'kf_refusals_total{{code="{code}"}}')

    def metric(self, name: str) -> int:
        return int(self.server.metrics().get(name, 0))

    def test_each_is_the_one_document(self):
        host = b"Host: localhost\r\n"
        chunked = b"POST /api/auth/login HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
        chunked += b"Transfer-Encoding: chunked\r\n\r\n"
        for raw, status, code in (
            (f"GET /reset?token={CANARY}&email=josé HTTP/1.1\r\n\r\n".encode(), 400, "MALFORMED_REQUEST"),
            (f"GET /{CANARY} HTTP/9.9\r\n\r\n".encode(), 400, "MALFORMED_REQUEST"),
            (b"GET /?" + b"q" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n", 414, "URI_TOO_LONG"),
            (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", 431, "HEADERS_TOO_LARGE"),
            (b"GET /api/auth/me HTTP/1.1\r\n\r\n", 400, "MALFORMED_REQUEST"),
            (b"GET http://localhost/api/auth/me HTTP/1.1\r\n\r\n", 400, "MALFORMED_REQUEST"),
            (b"GET /health/live HTTP/1.1\r\n" + host + host + b"\r\n", 400, "MALFORMED_REQUEST"),
            (b"GET /health/live HTTP/1.1\r\n" + host + b"hOST:\r\n\r\n", 400, "MALFORMED_REQUEST"),
            (chunked + b"zz\r\n" + CANARY.encode() + b"\r\n0\r\n\r\n", 400, "MALFORMED_REQUEST"),
        ):
            with self.subTest(raw[:40]):
                before = self.counted(code)
                got, headers, body = self.send(raw)
                self.assertEqual((got, headers["Content-Type"]), (status, "application/problem+json"), body)
                document = json.loads(body)
                self.assertEqual((document["code"], document["requestId"]), (code, headers["X-Request-ID"]))
                self.assertEqual(self.counted(code), before + 1)
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertNotIn(CANARY, body.decode())
                self.assertIn(document["requestId"], self.server.log.read_text())
        self.assertNotIn(CANARY, self.server.log.read_text())

    def test_a_browser_of_a_listed_origin_may_read_what_has_a_whole_head(self):
        sign_in = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\noRigin: %s \r\n"
        for refused, status in (
            (sign_in + b"Content-Length: 40000\r\n\r\n{", 413),
            (sign_in + b"X-A: " + b"a" * 20_000 + b"\r\n\r\n", 431),
            (sign_in + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n{\r\n" * 65, 411),
            (b"GET /api/auth/me HTTP/1.1\r\nOrigin: %s\r\n\r\n", 400),  # no Host
        ):
            with self.subTest(status):
                got, headers, _ = self.send(refused % WEB.encode())
                self.assertEqual((got, headers["access-control-allow-origin"]), (status, WEB))
                self.assertEqual(headers["access-control-allow-credentials"], "true")
                self.assertIn("Retry-After", headers["access-control-expose-headers"])
                got, headers, _ = self.send(refused % b"https://evil.example")
                self.assertEqual(got, status)
                self.assertNotIn("access-control-allow-origin", headers)

    def test_behind_a_proxy_each_client_leaves_an_event(self):
        """Counted as the proxy's, the first of a minute hid all others."""
        events = 'kf_security_events_total{kind="request.unreadable_refused"}'
        before = self.metric(events)
        head = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.%d\r\n"
        for client in (1, 2, 2):
            self.assertEqual(self.send(head % client + b"Content-Length: 40000\r\n\r\n{")[0], 413)
        self.assertEqual(self.metric(events), before + 2)

    def test_an_origin_in_the_body_is_none(self):
        body = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n\r\nOrigin: "
        got, headers, _ = self.send(body + WEB.encode() + b"\r\n\r\n")
        self.assertEqual(got, 413)
        self.assertNotIn("access-control-allow-origin", headers)

    def test_a_host_is_demanded_of_http_1_1_alone(self):
        """RFC 9112 section 3.2."""
        self.assertEqual(self.send(b"GET /health/live HTTP/1.0\r\n\r\n")[0], 200)
        host = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nConnection: close\r\n\r\n"
        self.assertEqual(self.send(host)[0], 200)

    def test_a_flood_leaves_one_event(self):
        events = 'kf_security_events_total{kind="request.unreadable_refused"}'
        self.send(b"NO\r\n\r\n")
        told = self.metric(events)
        self.assertGreaterEqual(told, 1)
        refused = self.counted("MALFORMED_REQUEST")
        for _ in range(5):
            self.assertEqual(self.send(b"NO\r\n\r\n")[0], 400)
        self.assertEqual((self.metric(events), self.counted("MALFORMED_REQUEST")), (told, refused + 5))
