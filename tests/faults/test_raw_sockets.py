"""Raw sockets on a server that no proxy stands before: requests that can be cut apart in two ways, and forged words of
proxies. What is only too long or unreadable is in `tests/koshflow/test_unreadable.py`.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from security.middleware.headers import HEADERS
from tests.faults.form import TIMEOUT_SECONDS, report
from tests.faults.raw_probes import probes, smuggled
from tests.faults.stand import EmbeddedCase, EmbeddedStand, show_errors
from tests.server import Server

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(TIMEOUT_SECONDS)]

PATIENCE_SECONDS = 20
PROXY, STRANGER = "127.0.0.2", "127.0.0.1"
OPERATOR = "198.51.100.7"
SECRET = "k" * 32
# Status, fields (names in lower case) and body.
Answer = tuple[int, dict[str, str], bytes]


def answers_in(stream: bytes) -> list[Answer]:
    """Each final answer. Raises ValueError for what is no answer."""
    found = []
    while stream:
        head, end, rest = stream.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        if not end or not first.startswith("HTTP/1."):
            raise ValueError(f"no answer: {stream[:200]!r}")
        status = int(first.split()[1])
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(fields.get("content-length", 0))
        stream = rest[length:]
        if status >= 200:
            found.append((status, fields, rest[:length]))
    return found


def problem_of(answer: Answer) -> str:
    """What keeps `answer` from being a refusal as every other, "" where nothing does."""
    status, fields, body = answer
    if not (400 <= status < 500 or status == 501):
        return f"status {status}"
    if fields.get("content-type") != "application/problem+json":
        return f"type {fields.get('content-type')}"
    if missing := [name for name, value in HEADERS if name != "Vary" and fields.get(name.lower()) != value]:
        return f"without {missing}"
    document = json.loads(body)
    if (document["status"], document["requestId"]) != (status, fields.get("x-request-id")):
        return f"document {document}"
    return ""


@pytest.fixture(scope="module")
def trusting_server(embedded_stand: EmbeddedStand) -> Iterator[Server]:
    """One for all: no probe may leave a trace in it. It believes PROXY and tells OPERATOR everything."""
    project = embedded_stand.project
    trusting = project.environment | {"TRUSTED_PROXIES": f"{PROXY}/32", "OPERATOR_NETWORKS": f"{OPERATOR}/32"}
    arguments = ("--config", "python:koshflow.gunicorn_conf", "koshflow.wsgi")
    with Server(*arguments, folder=project.folder, environment=trusting, probe="/health/live", is_warm=True) as server:
        yield server
    show_errors(server)


class Raw(EmbeddedCase):
    """On the one server."""

    @pytest.fixture(autouse=True)
    def _take_the_server(self, trusting_server: Server) -> None:
        self.server = trusting_server

    def send(self, *pieces: bytes, address: str = STRANGER) -> bytes:
        """All that comes back before the connection ends; reset: nothing more does."""
        stream = b""
        with (
            socket.create_connection(
                ("127.0.0.1", self.server.port), timeout=PATIENCE_SECONDS, source_address=(address, 0)
            ) as client,
            suppress(ConnectionError),
        ):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                stream += piece
        return stream

    def ask(self, *fields: str, line: str = "GET /api/auth/me", address: str = STRANGER) -> Answer:
        """The one answer to a request with `fields`."""
        text = "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *fields, "Connection: close", "", ""])
        [answer] = answers_in(self.send(text.encode(), address=address))
        return answer


class TwoReadings(Raw):
    """What can be read in two ways is refused or is one request, and the next client finds all as ever (R12)."""

    def as_ever(self, mark):
        """Status and code of an honest request, which its log line names by `mark`."""
        status, fields, body = self.ask(f"X-Request-ID: {mark}")
        self.assertEqual(fields["x-request-id"], mark)
        return status, json.loads(body)["code"]

    def test_no_second_request_is_ever_answered(self):
        sent, desynced, unlike, disturbed = 0, [], [], []
        for number, (name, probe) in enumerate(probes()):
            mark = f"smuggled-{number:04d}"
            raw = probe(smuggled(mark))
            size = len(raw) // 7 + 1
            for pieces in ([raw], [raw[at : at + size] for at in range(0, len(raw), size)]):
                stream = self.send(*pieces)
                answers = answers_in(stream)
                sent += 1
                if mark.encode() in stream or len(answers) > 1:
                    desynced.append(name)
                unlike += [f"{name}: {wrong}" for wrong in map(problem_of, answers) if wrong]
            if self.as_ever(f"meanwhile-{number:04d}") != (401, "NO_TOKEN"):
                disturbed.append(name)
        log = self.server.log.read_text().splitlines()
        # Of the access log: what took a second has a line of its own beside it.
        self.assertEqual(sum('"koshflow.access"' in line and '"meanwhile-' in line for line in log), number + 1)
        answered = [line for line in log if '"smuggled-' in line]
        is_passed = not (desynced or unlike or disturbed or answered)
        report(
            "R12 smuggling",
            load=f"{number + 1} probes, each whole and in pieces: {sent}",
            measured={"desync": desynced, "no_refusal": unlike, "disturbed": disturbed, "served": answered},
            bar="200 probes: refused, or one request, or closed; 0 desync",
            is_passed=is_passed,
        )
        self.assertGreaterEqual(number + 1, 200)
        self.assertTrue(is_passed)

    def test_two_honest_requests_are_both_answered(self):
        """Or the probes would prove nothing."""
        marks = ["honest-first", "honest-second"]
        stream = self.send(smuggled("honest-first") + smuggled("honest-second"))
        self.assertEqual([fields["x-request-id"] for _, fields, _ in answers_in(stream)], marks)


class TwoHosts(Raw):
    """A target that names a host means it, whatever the Host header says (RFC 9112 section 3.2.2)."""

    def code_for(self, target):
        status, _, body = self.ask(line=f"GET {target}")
        return status, json.loads(body)["code"]

    def test_the_targets_counts(self):
        for ours in ("http://localhost", f"http://127.0.0.1:{self.server.port}"):
            self.assertEqual(self.code_for(f"{ours}/api/auth/me"), (401, "NO_TOKEN"), ours)
        for other in ("http://hooks.example.in", "https://localhost.example.in", "http://x@localhost", "http://"):
            self.assertEqual(self.code_for(f"{other}/api/auth/me"), (400, "MALFORMED_REQUEST"), other)

    def test_neither_is_missing(self):
        [answer] = answers_in(self.send(b"GET http://localhost/api/auth/me HTTP/1.1\r\nConnection: close\r\n\r\n"))
        self.assertEqual((answer[0], problem_of(answer)), (400, ""))


class ForgedForwarding(Raw):
    """Only TRUSTED_PROXIES are believed about whom they speak for and by which scheme, in one spelling each."""

    def is_operator(self, *fields, address=PROXY):
        """Whether whoever sent `fields` is taken for the operators' network."""
        status = self.ask(*fields, line="GET /metrics", address=address)[0]
        self.assertIn(status, (200, 401))
        return status == 200

    def is_https(self, *fields, address=PROXY):
        """Whether a form from our own page over HTTPS is taken for one."""
        same = f"csrftoken={SECRET}\r\nX-CSRFToken: {SECRET}"
        form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0"
        answer = self.ask(
            "Origin: https://localhost", f"Cookie: {same}", form, *fields, line="POST /admin/logout/", address=address
        )
        self.assertIn(answer[0], (302, 403))
        return answer[0] == 302

    def test_a_proxy_is_believed(self):
        self.assertTrue(self.is_operator(f"X-Forwarded-For: {OPERATOR}"))
        self.assertTrue(self.is_https("X-Forwarded-Proto: https"))

    def test_a_stranger_is_not(self):
        self.assertFalse(self.is_operator(f"X-Forwarded-For: {OPERATOR}", address=STRANGER))
        for name in ("X-Forwarded-Proto: https", "X-Forwarded-Protocol: ssl", "X-Forwarded-Ssl: on"):
            self.assertFalse(self.is_https(name, address=STRANGER), name)

    def test_what_a_client_wrote_before_the_proxy_does_not_count(self):
        self.assertFalse(self.is_operator(f"X-Forwarded-For: {OPERATOR}, 203.0.113.9"))
        self.assertFalse(self.is_operator(f"X-Forwarded-For: {OPERATOR}", "X-Forwarded-For: 203.0.113.9"))

    def test_an_underscore_is_no_hyphen(self):
        for address in (PROXY, STRANGER):
            self.assertFalse(self.is_operator(f"X_Forwarded_For: {OPERATOR}", address=address))
            self.assertFalse(self.is_operator(f"X-Forwarded_For: {OPERATOR}", address=address))
            self.assertFalse(self.is_https("X_Forwarded_Proto: https", address=address))
        self.assertTrue(self.is_operator(f"X-Forwarded-For: {OPERATOR}", "X_Forwarded_For: 203.0.113.9"))

    def test_two_schemes_are_refused(self):
        answer = self.ask("X-Forwarded-Proto: https", "X-Forwarded-Proto: http", address=PROXY)
        self.assertEqual((answer[0], problem_of(answer)), (400, ""))

    def test_no_header_names_another_program_or_person(self):
        """What a server in front of CGI programs sets, and what else is believed by custom."""
        for field in ("REMOTE_ADDR", "REMOTE-ADDR", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP"):
            value = f"for={OPERATOR}" if field == "Forwarded" else OPERATOR
            self.assertFalse(self.is_operator(f"{field}: {value}"), field)
        for field in ("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "PATH_INFO"):
            answer = self.ask(f"{field}: /metrics", address=PROXY)
            self.assertEqual((answer[0], json.loads(answer[2])["code"]), (401, "NO_TOKEN"), field)
        self.assertEqual(self.ask("SCRIPT_NAME: /x", line="GET /x/api/auth/me", address=PROXY)[0], 404)
