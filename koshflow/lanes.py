"""Two lanes of threads in each worker, so that a flood of sign-ins does not stand in front of everybody else.

The hashing bulkhead keeps hashes from eating a worker; whom it refuses still took a thread, and the refused of a
flood filled the one queue of the server. Requests that may hash have few threads and a queue of their own (decision 9).
Nobody gets a thread before the head of their request is whole (decision 14).
"""

import re
import select
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.conf import settings
from gunicorn.workers import gthread

# Where a password is compared or set. What is not yet known to be another request waits with them.
HASHING_REQUESTS = (
    b"POST /api/auth/login",
    b"POST /api/auth/register",
    b"POST /api/auth/change-password",
    b"POST /api/auth/password-reset/confirm",
    b"POST /api/auth/2fa/",
    b"POST /admin/login/",
)
_OTHER_METHODS = (b"GET /", b"HEAD /", b"OPTIONS ", b"PATCH /", b"PUT /", b"DELETE /")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,6})[ \t]*\r\n", re.IGNORECASE)
_MOST_BYTES = 16_384
_LOOK_BYTES = max(map(len, HASHING_REQUESTS))
_END = getattr(select, "POLLRDHUP", select.POLLHUP)  # Linux alone tells of one half


class Lanes:
    """The pool that gunicorn submits each request to; `threads` are those of the wide lane."""

    def __init__(self, threads: int, *, is_tls: bool) -> None:
        self.wide = ThreadPoolExecutor(threads, "wide")
        # One hashes, some wait for their turn, one who has hashed signs in, one tells the rest that there is no room.
        self.narrow = ThreadPoolExecutor(2 * settings.HASH_CONCURRENCY + settings.HASH_QUEUE + 1, "narrow")
        self._is_tls = is_tls

    def submit(self, handle: Any, conn: Any) -> "Future[Any]":
        """Hand `conn` to a thread; who has not sent a whole head goes back to the poller instead of holding one.

        So does half a request for the narrow lane: a few that are never ended would stop every sign-in.
        """
        if self._is_tls:  # nothing can be read before the handshake
            return self.wide.submit(handle, conn)
        seen = _look(conn)
        if seen is None:
            return nothing_yet()
        is_narrow = may_hash(seen[:_LOOK_BYTES])
        is_whole = _is_whole(conn, seen, with_body=is_narrow)
        if is_whole is None:  # nobody can tell when it ends: it must not hold one of the few
            return self.wide.submit(handle, conn)
        return (self.narrow if is_narrow else self.wide).submit(handle, conn) if is_whole else nothing_yet()

    def shutdown(self, *, wait: bool = True) -> None:
        """End both lanes."""
        self.wide.shutdown(wait=wait)
        self.narrow.shutdown(wait=wait)


def nothing_yet() -> "Future[Any]":
    """What gunicorn's worker makes of a connection that has sent nothing: it is to be watched, not waited for."""
    future: Future[Any] = Future()
    future.set_result(gthread._DEFER)
    return future


def has_sent_nothing(future: "Future[Any]") -> bool:
    """Whether `future`, which is done, says so."""
    return not future.cancelled() and future.exception() is None and future.result() is gthread._DEFER


def may_hash(head: bytes) -> bool:
    """Whether the request that begins with `head` may be one of HASHING_REQUESTS."""
    if head.startswith(_OTHER_METHODS):
        return False
    if head.startswith(b"POST /"):
        return any(head.startswith(known) or known.startswith(head) for known in HASHING_REQUESTS)
    return bool(head)


def has_begun(conn: Any) -> bool:
    """Whether the client of `conn`, who waits for no answer, has sent a piece of a request."""
    return bool(_look(conn))


def _look(conn: Any) -> bytes | None:
    """What has come of the next request, b"" at the end of the connection, None where nothing has come yet."""
    ahead = _read_ahead(conn)
    try:
        return ahead + bytes(conn.sock.recv(_MOST_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return ahead or None
    except OSError:
        return b""


def _read_ahead(conn: Any) -> bytes:
    return b"" if conn.parser is None else bytes(conn.parser.unreader.buf.getvalue())


def _is_whole(conn: Any, seen: bytes, *, with_body: bool) -> bool | None:
    """Whether the head (and the body) have come with `seen`; else has the poller wake us when what is missing has.

    None where that cannot be told: in chunks, or of more than a receive buffer surely holds. True too where nothing
    more will come: a thread finds out what that means.
    """
    head_ends = seen.find(b"\r\n\r\n")
    if head_ends < 0:
        missing_at = len(seen) + 1
    else:
        length = _LENGTH.search(seen, 0, head_ends + 2) if with_body else None
        missing_at = head_ends + 4 + (int(length[1]) if length else 0)
    is_whole: bool | None = len(seen) >= missing_at or _has_ended(conn)
    if missing_at > _MOST_BYTES or (
        with_body and head_ends >= 0 and b"\r\ntransfer-encoding:" in seen[: head_ends + 2].lower()
    ):
        is_whole = None
    # The least number of bytes at which the kernel calls the connection readable (socket(7)); its end always does. A
    # thread's `recv` waits for as many, so that whoever goes to one is read from the first byte again.
    awaited = missing_at - len(_read_ahead(conn)) if is_whole is False else 1
    if awaited != getattr(conn, "awaited", 1):
        conn.awaited = awaited
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, awaited)
    return is_whole


def is_readable(sock: Any, events: int = select.POLLIN) -> bool:
    """Whether the poller would tell of `sock` now."""
    poller = select.poll()
    poller.register(sock, events)
    return bool(poller.poll(0))


def _has_ended(conn: Any) -> bool:
    """Whether the client has closed its side. The poller would call such a connection readable without end."""
    return is_readable(conn.sock, _END)
