"""One HTTP request of ours to somebody else, bounded in every way: the whole of it in time, the answer in size.

No redirect is followed and no proxy is asked. Who may be asked is the caller's matter.
"""

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit


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

    With `address` the connection goes there, whatever the URL's name means by now; TLS still checks the name. Raises
    ExchangeFailed, also for an answer of more than `most_bytes`.
    """
    where = urlsplit(url)
    connection = _connection(where.scheme, where.netloc, patience_seconds)
    if address:
        connection._create_connection = (  # type: ignore[attr-defined]
            lambda named, *rest: socket.create_connection((address, named[1]), *rest)
        )
    was_cut = threading.Event()
    end = threading.Timer(patience_seconds, _cut, [connection, was_cut])
    end.daemon = True
    end.start()
    target = f"{where.path or '/'}?{where.query}" if where.query else where.path or "/"
    try:
        connection.request("POST", target, body, dict(headers))
        response = connection.getresponse()
        answer = response.read(most_bytes + 1)
        # What was cut, by us or by them, reads like an end: `length` is what should still come.
        if len(answer) > most_bytes or response.length or was_cut.is_set():
            raise ExchangeFailed("its answer is too long, or came too slowly")
        return Reply(response.status, answer)
    except (OSError, HTTPException) as error:
        raise ExchangeFailed(f"it does not answer ({type(error).__name__})") from error
    finally:
        end.cancel()
        connection.close()


def _connection(scheme: str, host: str, patience_seconds: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, timeout=patience_seconds, context=ssl.create_default_context())
    return HTTPConnection(host, timeout=patience_seconds)


def _cut(connection: HTTPConnection, was_cut: threading.Event) -> None:
    was_cut.set()  # first: whoever reads wakes at once
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)  # close() would not wake who reads from it
    except OSError:
        return  # it has just ended by itself
