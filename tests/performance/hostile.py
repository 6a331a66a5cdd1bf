"""Requests that no honest client sends, each of which must be refused at once and leave nothing behind; and a client
for them that never raises.

Bounds of the product are not read from it: they are what a stranger would try.
"""

import gzip
import json
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice, repeat

from tests.performance.load import AGENT, split_answer

MEGABYTE = 1_000_000
_PATIENCE_SECONDS = 30.0
_PIECE_BYTES = 65_536
_DOOR = "/api/auth/refresh"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`status` 0: no whole answer came. `code` is that of the problem document, "" where there is none."""

    status: int
    code: str
    seconds: float
    sent_bytes: int


def send(port: int, pieces: Iterator[bytes]) -> Refusal:
    """Send until there is an answer, on a connection of its own; a server may stop reading at any time."""
    received, sent = bytearray(), 0
    started = time.perf_counter()
    try:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)) as client:
            client.setblocking(False)
            with selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
                piece = next(pieces)
                while split_answer(received) is None:
                    if time.perf_counter() - started > _PATIENCE_SECONDS:
                        raise TimeoutError
                    for _, events in selector.select(1):
                        if events & selectors.EVENT_READ:
                            if not (came := client.recv(_PIECE_BYTES)):
                                raise ConnectionAbortedError
                            received += came
                        elif events & selectors.EVENT_WRITE:
                            try:
                                count = client.send(piece)
                            except (BrokenPipeError, ConnectionResetError):
                                count = len(piece)  # it has heard enough; what it said can still be read
                                pieces = iter(())
                            sent += count
                            piece = piece[count:] or next(pieces, b"")
                            if not piece:
                                selector.modify(client, selectors.EVENT_READ)
    except OSError:
        return Refusal(0, "", time.perf_counter() - started, sent)
    seconds = time.perf_counter() - started
    answer = split_answer(received)
    assert answer is not None
    status, head, body = answer
    is_problem = b"\r\ncontent-type: application/problem+json" in head
    return Refusal(status, str(json.loads(body).get("code", "")) if is_problem else "", seconds, sent)


def _head(line: str, *lines: str) -> bytes:
    fixed = (f"{line} HTTP/1.1", "Host: 127.0.0.1", f"User-Agent: {AGENT}", "Accept: application/json")
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


def _post(body: bytes, *lines: str, path: str = _DOOR, media_type: str = "application/json") -> bytes:
    return _head(f"POST {path}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *lines) + body


def _get(query: str = "", *lines: str) -> bytes:
    return _head(f"GET /api/auth/me{query}", *lines)


def _keys(count: int) -> bytes:
    return json.dumps({f"k{number}": 0 for number in range(count)}, separators=(",", ":")).encode()


def _query(count: int) -> str:
    return "?" + "&".join(f"p{number}=" for number in range(count))


_CHUNK = b"%x\r\n%s\r\n" % (_PIECE_BYTES, b" " * _PIECE_BYTES)
# Made when they are wanted: some are megabytes.
_WHOLE: dict[str, Callable[[], bytes]] = {
    "one_byte_over_1_mb": lambda: _post(b'"' + b"a" * (MEGABYTE - 1) + b'"'),
    "gzip_bomb": lambda: _post(gzip.compress(bytes(50 * MEGABYTE), 9), "Content-Encoding: gzip"),
    "depth_100k": lambda: _post(b"[" * 100_000 + b"]" * 100_000),
    "objects_100k_deep": lambda: _post(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "keys_1m": lambda: _post(_keys(1_000_000)),
    "keys_within_1_mb": lambda: _post(_keys(90_000)),
    "lists_within_1_mb": lambda: _post(b'{"a":[' + b"[]," * 330_000 + b"1]}"),
    "duplicate_keys": lambda: _post(b'{"refreshToken": "a", "refreshToken": "b"}'),
    "not_a_number": lambda: _post(b'{"refreshToken": NaN}'),
    "bad_utf8": lambda: _post(b'{"refreshToken": "\xff\xfe\xc0\x80"}'),
    "cut_short": lambda: _post(b'{"refreshToken": "a'),
    "other_media_type": lambda: _post(b"<a/>", media_type="application/xml"),
    "header_64_kb": lambda: _get("", "X-Padding: " + "a" * 65_536),
    "parameters_10k": lambda: _get(_query(10_000)),
    "parameters_within_the_line": lambda: _get(_query(600)),
    # The only kind whose tests need a server set up for it: see `REGISTER_ONCE`.
    "over_the_limit": lambda: _post(b"{}", path="/api/auth/register"),
}
REGISTER_ONCE = {"RATE_LIMIT_REGISTER": "1/1h"}
KINDS = ("chunked_100_mb", *_WHOLE)


@cache
def _whole(kind: str) -> bytes:
    return _WHOLE[kind]()


def pieces_of(kind: str) -> Iterator[bytes]:
    """The request of `kind` as it goes over the wire, piece by piece; only the unending one is more than one."""
    if kind in _WHOLE:
        return iter([_whole(kind)])
    head = _head(f"POST {_DOOR}", "Content-Type: application/json", "Transfer-Encoding: chunked")
    return chain([head], islice(repeat(_CHUNK), 100 * MEGABYTE // _PIECE_BYTES), [b"0\r\n\r\n"])
