"""A closed-loop HTTP/1.1 client over keep-alive sockets on loopback; each sends its next request after an answer.

Run as `python -m tests.performance.load`, a process of its own: a specification as JSON on standard input, the
result as JSON on standard output. Ends by itself after `seconds` and a few more for answers still under way.
"""

import json
import selectors
import socket
import sys
import time
from collections import Counter
from typing import Any

from tests.performance.figures import percentile

ANSWER_SECONDS = 10.0
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"


def get(path: str, *, token: str = "") -> bytes:
    """A GET as it goes over the wire, with a bearer token where one is given."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {AGENT}\r\nAccept: application/json\r\n"
        f"{authorization}\r\n"
    ).encode()


def post(path: str, document: dict[str, str]) -> bytes:
    """A POST of a JSON document as it goes over the wire."""
    body = json.dumps(document).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {AGENT}\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def split_answer(data: bytes | bytearray) -> tuple[int, bytes, bytes] | None:
    """Status, lower-case head and body of the one answer in `data`, or None while it is not whole.

    The body is counted by Content-Length or chunked (RFC 9112 §6.3). Raises ValueError for one that is neither.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[: end + 2]).lower()
    status, start = int(head[9:12]), end + 4
    mark = head.find(b"\r\ncontent-length:")
    if mark >= 0:
        length = int(head[mark + 17 : head.index(b"\r\n", mark + 17)])
        return (status, head, bytes(data[start : start + length])) if len(data) >= start + length else None
    if b"\r\ntransfer-encoding: chunked" not in head:
        raise ValueError("an answer without a length would end with its connection")
    body = join_chunks(data, start)
    return None if body is None else (status, head, body)


def join_chunks(data: bytes | bytearray, start: int) -> bytes | None:
    """The chunked body that begins at `start`, or None while it is not whole (RFC 9112 §7.1, no trailers)."""
    body = b""
    while (line_end := data.find(b"\r\n", start)) >= 0:
        length = int(data[start:line_end], 16)
        start = line_end + 2 + length + 2
        if len(data) < start:
            return None
        if not length:
            return body
        body += data[line_end + 2 : start - 2]
    return None


class Connection:
    """One keep-alive connection and what it asks for.

    `plan` has `source` (the loopback address it comes from), `pause` (seconds between an answer and the next
    request), and either `requests` (texts, sent in turn) or `chain`: `path`, `member` and `token`, a refresh
    whose answer holds the next token.
    """

    def __init__(self, plan: dict[str, Any], *, port: int) -> None:
        self.plan = plan
        self.port = port
        self.turn = 0
        self.data = bytearray()
        self.sent_at = 0.0
        self.due = 0.0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", self.port), timeout=ANSWER_SECONDS, source_address=(self.plan["source"], 0)
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        chain = self.plan.get("chain")
        if chain:
            request = post(chain["path"], {chain["member"]: chain["token"]})
        else:
            request = self.plan["requests"][self.turn % len(self.plan["requests"])].encode()
        self.turn += 1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def received(self, status: int, body: bytes) -> None:
        chain = self.plan.get("chain")
        if chain and status == 200:
            chain["token"] = json.loads(body)[chain["member"]]


class Load:
    """Runs connections for a time and keeps what came back."""

    def __init__(self, connections: list[Connection], *, seconds: float) -> None:
        self.connections = connections
        self.seconds = seconds
        self.selector = selectors.DefaultSelector()
        self.latencies: dict[int, list[float]] = {}
        self.codes: Counter[str] = Counter()
        self.without_retry_after = 0
        self.reconnects = 0

    def run(self) -> None:
        """Send until the time is up, then wait for the answers still under way."""
        end = time.perf_counter() + self.seconds
        for connection in self.connections:
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send()
        under_way, resting = len(self.connections), list[Connection]()
        while under_way or resting:
            now = time.perf_counter()
            if now > end + ANSWER_SECONDS:
                raise TimeoutError(f"{under_way} answers did not come within {ANSWER_SECONDS} s")
            for connection in [c for c in resting if c.due <= now or now >= end]:
                resting.remove(connection)
                if now < end:
                    connection.send()
                    under_way += 1
            for key, _ in self.selector.select(0.005 if resting else 0.1):
                connection = key.data
                if not self._read(connection):
                    continue
                now = time.perf_counter()
                if now >= end:
                    under_way -= 1
                elif connection.plan.get("pause"):
                    connection.due = now + connection.plan["pause"]
                    resting.append(connection)
                    under_way -= 1
                else:
                    connection.send()

    def _read(self, connection: Connection) -> bool:
        """Whether the answer is whole. A connection that the server closed is opened again and asked once more."""
        received = connection.socket.recv(65536)
        if not received:
            self.selector.unregister(connection.socket)
            connection.socket.close()
            connection.data.clear()
            connection.open()
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)
            self.reconnects += 1
            connection.send()
            return False
        connection.data += received
        answer = split_answer(connection.data)
        if answer is None:
            return False
        connection.data.clear()
        self._keep(connection, *answer)
        return True

    def _keep(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        connection.received(status, body)
        self.latencies.setdefault(status, []).append(time.perf_counter() - connection.sent_at)
        if status >= 400:
            self.codes[str(json.loads(body).get("code"))] += 1
        if status in (429, 503) and b"\r\nretry-after:" not in head:
            self.without_retry_after += 1

    def result(self) -> dict[str, Any]:
        """Counts and latencies (ms) by status; `tokens` are the refresh tokens that the chains hold now."""
        return {
            "statuses": {status: len(values) for status, values in self.latencies.items()},
            "codes": dict(self.codes),
            "ms": {status: _summary(values) for status, values in self.latencies.items()},
            "without_retry_after": self.without_retry_after,
            "reconnects": self.reconnects,
            "tokens": [c.plan["chain"]["token"] for c in self.connections if "chain" in c.plan],
        }


def _summary(seconds: list[float]) -> dict[str, float]:
    points = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(percentile(seconds, point) * 1000, 2) for name, point in points.items()}


def main() -> None:
    """Read the specification: `port`, `seconds`, `connections` (plans)."""
    specification = json.load(sys.stdin)
    connections = [Connection(plan, port=specification["port"]) for plan in specification["connections"]]
    load = Load(connections, seconds=specification["seconds"])
    load.run()
    json.dump(load.result(), sys.stdout)


if __name__ == "__main__":
    main()
