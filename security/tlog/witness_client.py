"""Sends a checkpoint to a witness (c2sp.org/tlog-witness) and brings its answer. Judges nothing, stores nothing.

Where to is the operator's setting and nobody else's; a redirect is not followed.
"""

import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from security.tlog.note import to_base64

PATIENCE_SECONDS = 5.0  # for the whole exchange, however slowly the answer trickles
MAX_ANSWER_BYTES = 16_384


class WitnessUnreachable(RuntimeError):  # noqa: N818 - named for what happened
    """No whole answer came in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A witness's answer."""

    status: int
    text: str


def submit(url: str, *, old: int, proof: Sequence[bytes], note: str) -> Answer:
    """POST `note` to the witness at the prefix `url`, with the proof from its tree of `old` leaves.

    Raises WitnessUnreachable.
    """
    body = "".join([f"old {old}\n", *(f"{to_base64(one)}\n" for one in proof), "\n", note]).encode()
    where = urlsplit(url)
    connection = _connection(where.scheme, where.netloc)
    was_cut = threading.Event()
    end = threading.Timer(PATIENCE_SECONDS, _cut, [connection, was_cut])
    end.daemon = True
    end.start()
    try:
        connection.request("POST", f"{where.path.rstrip('/')}/add-checkpoint", body, {"Content-Type": "text/plain"})
        response = connection.getresponse()
        text = response.read(MAX_ANSWER_BYTES + 1)
        # What was cut, by us or by them, reads like an end: `length` is what should still come.
        if len(text) > MAX_ANSWER_BYTES or response.length or was_cut.is_set():
            raise WitnessUnreachable("its answer is too long, or came too slowly")
        return Answer(response.status, text.decode())
    except (OSError, HTTPException, UnicodeDecodeError) as error:
        raise WitnessUnreachable(f"it does not answer ({type(error).__name__})") from error
    finally:
        end.cancel()
        connection.close()


def _connection(scheme: str, host: str) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, timeout=PATIENCE_SECONDS, context=ssl.create_default_context())
    return HTTPConnection(host, timeout=PATIENCE_SECONDS)


def _cut(connection: HTTPConnection, was_cut: threading.Event) -> None:
    was_cut.set()  # first: whoever reads wakes at once
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)  # close() would not wake who reads from it
    except OSError:
        return  # it has just ended by itself
