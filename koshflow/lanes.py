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

from security.errors import HeadersTooLarge, LengthRequired, PayloadTooLarge, Problem

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
# A target with a percent sign is another one once it is decoded. Django decodes once, and joins no slashes.
_DISGUISED = re.compile(rb"POST /[^ ?]*%").match
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding):([^\r]*)", re.IGNORECASE)
# What a refusal asks of a request that no parser has read: whose it is, and from which web origin.
_ASKED_OF_A_REFUSED = re.compile(rb"\r\n(origin|x-forwarded-for):[ \t]*([^\r]*)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-f]+)[ \t]*(?:;[^\r]*)?", re.IGNORECASE).fullmatch
_MOST_BYTES = 16_384
# Several times what the forms of HASHING_REQUESTS need; a receive buffer holds it beside the head.
_MOST_BODY_BYTES = 32_768
# Each is looked at again whenever another byte comes.
_MOST_CHUNKS = 64
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

        So does half a request for the narrow lane: a few that are never ended would stop every sign-in. What is too
        large to be waited for there is refused: `conn.refusal` is the Problem. So no hash is made in the wide lane.
        """
        if self._is_tls:  # nothing can be read before the handshake
            return self.wide.submit(handle, conn)
        seen = _look(conn)
        if seen is None:
            return nothing_yet()
        is_narrow = may_hash(seen[:_LOOK_BYTES])
        lane = self.narrow if is_narrow else self.wide
        try:
            whole_at = _whole_at(seen, with_body=is_narrow)
        except Problem as refusal:
            conn.refusal = refusal  # whoever handles it says so, and reads no further
            whole_at = None
        if whole_at is None:
            lane, whole_at = self.wide, 0
        return lane.submit(handle, conn) if _has_come(conn, seen, whole_at) else nothing_yet()

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
        return _DISGUISED(head) is not None or any(
            head.startswith(known) or known.startswith(head) for known in HASHING_REQUESTS
        )
    return bool(head)


def has_begun(conn: Any) -> bool:
    """Whether the client of `conn`, who waits for no answer, has sent a piece of a request."""
    return bool(_look(conn))


def headers_of_refused(conn: Any) -> list[tuple[str, str]]:
    """Origin and X-Forwarded-For in the head of the next request of `conn`, named in upper case as by the parser."""
    seen = _look(conn) or b""
    head_ends = seen.find(b"\r\n\r\n")
    found = _ASKED_OF_A_REFUSED.findall(seen, 0, head_ends if head_ends >= 0 else len(seen))
    return [(name.decode().upper(), value.rstrip(b" \t").decode("latin-1")) for name, value in found]


def _look(conn: Any) -> bytes | None:
    """What has come of the next request, b"" at the end of the connection, None where nothing has come yet."""
    ahead = _read_ahead(conn)
    try:
        return ahead + bytes(conn.sock.recv(_MOST_BYTES + _MOST_BODY_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return ahead or None
    except OSError:
        return b""


def _read_ahead(conn: Any) -> bytes:
    return b"" if conn.parser is None else bytes(conn.parser.unreader.buf.getvalue())


def _whole_at(seen: bytes, *, with_body: bool) -> int | None:
    """How many bytes a request that begins with `seen` has at least, its body counted where that is asked for.

    None where a thread need not wait: the head is too long to look at, or the parser refuses it as it stands. With the
    body, raises HeadersTooLarge, PayloadTooLarge or LengthRequired where there is more than we wait for.
    """
    head_ends = seen.find(b"\r\n\r\n")
    at = head_ends + 4 if head_ends >= 0 else len(seen) + 1
    if at > _MOST_BYTES:
        if with_body:
            raise HeadersTooLarge
        return None
    if not with_body or head_ends < 0:
        return at
    framing = _FRAMING.findall(seen, 0, head_ends + 2)
    if not framing:
        return at
    [(name, value), *others] = ((name.lower(), value.strip(b" \t")) for name, value in framing)
    if others:  # two lengths, a length and chunks: 400, or 411 of the application, which reads no body
        return None
    if name == b"transfer-encoding":
        return _chunks_end(seen, at) if value.lower() == b"chunked" else None
    if not value.isdigit():
        return None
    digits = value.lstrip(b"0")[:10] or b"0"  # cut, it is still too many
    return _at_most(at + int(digits), at + _MOST_BODY_BYTES)


def _chunks_end(seen: bytes, at: int) -> int | None:
    """As `_whole_at`, of a body in chunks (RFC 9112 section 7.1) that begins at `at`; None where one is no chunk."""
    most = at + _MOST_BODY_BYTES
    for _ in range(_MOST_CHUNKS):
        line_ends = seen.find(b"\r\n", at)
        if line_ends < 0:
            return _at_most(len(seen) + 1, most)
        size = _CHUNK_SIZE(seen, at, line_ends)
        if size is None:
            return None
        at = line_ends + 2
        length = int(size[1], 16)
        if not length:  # trailers, or at once the end
            ends = at if seen[at : at + 2] == b"\r\n" else seen.find(b"\r\n\r\n", at) + 2
            return ends + 2 if ends >= at else _at_most(len(seen) + 1, most)
        at = _at_most(at + length + 2, most)
        if at >= len(seen):
            return at + 5  # the least that can end it: a chunk of nothing
    raise LengthRequired("Send so small a body with its length, or in fewer chunks.")


def _at_most(at: int, most: int) -> int:
    if at > most:
        raise PayloadTooLarge
    return at


def _has_come(conn: Any, seen: bytes, whole_at: int) -> bool:
    """Whether all of `whole_at` bytes have come with `seen`; else has the poller wake us when the rest has.

    True too where nothing more will come: a thread finds out what that means.
    """
    has_come = len(seen) >= whole_at or _has_ended(conn)
    _await(conn, 1 if has_come else whole_at - len(_read_ahead(conn)))
    return has_come


def _await(conn: Any, awaited: int) -> None:
    """Let the kernel call `conn` readable from so many bytes on (socket(7)); its end always is.

    A thread's `recv` waits for as many, so that whoever goes to one is read from the first byte again.
    """
    if awaited != getattr(conn, "awaited", 1):
        conn.awaited = awaited
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, awaited)


def is_readable(sock: Any, events: int = select.POLLIN) -> bool:
    """Whether the poller would tell of `sock` now."""
    poller = select.poll()
    poller.register(sock, events)
    return bool(poller.poll(0))


def _has_ended(conn: Any) -> bool:
    """Whether the client has closed its side. The poller would call such a connection readable without end."""
    return is_readable(conn.sock, _END)
