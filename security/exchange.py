"""One HTTP request of ours to somebody else, bounded in every way: the whole of it in time, the answer in size.

No redirect is followed and no proxy is asked. Who may be asked is the caller's matter.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

# What may stand around the body of an answer: its heads, and the sizes of its chunks.
_AROUND_BYTES = 128 * 1024


class ExchangeFailed(RuntimeError):  # noqa: N818 - named for what happened
    """No whole answer came in time. The text holds nothing of the URL."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    body: bytes


def post(
    url: str, body: bytes, *, headers: Mapping[str, str], patience_seconds: float, most_bytes: int, address: str = ""
) -> Reply:
    """POST `body` to `url`; the whole takes at most `patience_seconds`, however slowly the answer trickles.

    With `address` the connection goes there, whatever the URL's name means by now; TLS still checks the name. Looking a
    name up has the resolver's own time-outs. Raises ExchangeFailed, also for an answer of more than `most_bytes`.
    """
    deadline = Deadline(patience_seconds)
    connection = connected = None
    try:
        where = urlsplit(url)
        connection = _connection(where.scheme, where.netloc, patience_seconds)
        connection._create_connection = (  # type: ignore[attr-defined]
            lambda named, *_: connect(address or named[0], named[1], deadline)
        )
        target = f"{where.path or '/'}?{where.query}" if where.query else where.path or "/"
        connection.connect()
        connected = connection.sock
        connection.sock = _Timed(connected, deadline, most_bytes=most_bytes + _AROUND_BYTES)
        connection.request("POST", target, body, dict(headers))
        response = connection.getresponse()
        answer = response.read(most_bytes + 1)
        # What they cut reads like an end: `length` is what should still come.
        if len(answer) > most_bytes or response.length:
            raise ExchangeFailed("its answer is too long, or was cut")
        return Reply(response.status, answer)
    except (OSError, HTTPException, ValueError) as error:
        # ValueError: what is no URL, or a name that cannot be looked up.
        raise ExchangeFailed(f"it does not answer ({type(error).__name__})") from error
    finally:
        if connection is not None:
            connection.close()
        if connected is not None:
            connected.close()


def _connection(scheme: str, host: str, patience_seconds: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, timeout=patience_seconds, context=ssl.create_default_context())
    return HTTPConnection(host, timeout=patience_seconds)


class Deadline:
    """When all must be over."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def bound(self, sock: socket.socket) -> None:
        """Let the next call of `sock` take no longer than what is left. Raises TimeoutError where nothing is."""
        sock.settimeout(self.left())

    def left(self) -> float:
        """Seconds. Raises TimeoutError."""
        if (left := self._at - time.monotonic()) <= 0:
            raise TimeoutError
        return left


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """As `socket.create_connection`, which gives each address of a name the whole time. Raises OSError."""
    failed: OSError = ConnectionError()
    for *_, found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            sock = socket.create_connection((str(found[0]), port), deadline.left())
        except OSError as error:
            failed = error
        else:
            deadline.bound(sock)  # the handshake of TLS, whose time-out is of the whole of it
            return sock
    raise failed


class _Timed:
    """What http.client needs of a socket. Each call has what is left of the time: a time-out alone begins anew with
    every byte that trickles in. And no more than `most_bytes` come in, whatever the reader asks for.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, *, most_bytes: int) -> None:
        self._sock, self._deadline, self._most_bytes = sock, deadline, most_bytes

    def sendall(self, data: Any) -> None:
        rest = memoryview(data)
        while rest:
            self._deadline.bound(self._sock)
            rest = rest[self._sock.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._deadline, self._most_bytes))

    def close(self) -> None:
        """Nothing: http.client closes a connection that ends with its answer before it reads the answer."""


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline, left_bytes: int) -> None:
        self._sock, self._deadline, self._left_bytes = sock, deadline, left_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        self._deadline.bound(self._sock)
        # http.client reads a chunk of "-1" bytes to the end of the stream, and passes over any number of answers 100.
        if self._left_bytes <= 0:
            raise ExchangeFailed("its answer is too long")
        read = self._sock.recv_into(into)
        self._left_bytes -= read
        return read
