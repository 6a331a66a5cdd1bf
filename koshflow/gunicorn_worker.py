"""gunicorn's thread worker: it leaves nobody at the door when it stops, waits for no request without end, and
refuses in our words what it cannot read.

The stock worker stops accepting at once but keeps its copy of the listening socket for as long as it still serves
(2 s for kept-alive connections): the kernel goes on completing connections into a backlog nobody reads, and resets
them all at the end. Measured: 8 of 8 clients cut within 40 ms of SIGTERM (docs/decisions/0008).
"""

import json
import logging
import selectors
import socket
import struct
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from secrets import token_hex
from ssl import SSLError
from typing import Any

from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)
from gunicorn.http.parser import RequestParser
from gunicorn.util import close_graceful, write_nonblock
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from koshflow.door import is_held_by, turn_newcomers_away
from koshflow.lanes import Lanes, has_sent_nothing
from monitoring.metrics import metrics
from security.context import Client, RequestContext, bind, current
from security.errors import HeadersTooLarge, InternalError, MalformedRequest, Problem, RequestTimeout, UriTooLong
from security.errors.documents import MEDIA_TYPE, document
from security.middleware.headers import API_POLICY, HEADERS

logger = logging.getLogger("koshflow.access")


# Longer than a handshake takes in a data centre.
_LAST_HANDSHAKES_SECONDS = 0.1


class DrainingWorker(ThreadWorker):
    """Takes in, once, whoever is at the door when it stops, then closes the door: who comes later is refused.

    A connection holds a thread only when it has begun a request.

    A request is read within `request_seconds`, and its client is never silent for `silence_seconds`; otherwise 408.
    The stock worker waits for ever: eight half-sent requests held all eight threads for as long as we looked.
    """

    silence_seconds = 10.0
    request_seconds = 20.0

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's signature
        super().set_accept_enabled(enabled)
        if not self.alive and not enabled:
            for listener in self.sockets:
                # While the arbiter holds the door, other workers stand at it: a reload, not the end.
                if not is_held_by(self.ppid, listener) and turn_newcomers_away(listener):
                    ends_at = time.monotonic() + _LAST_HANDSHAKES_SECONDS
                    while time.monotonic() < ends_at:
                        self._drain(listener)
                        time.sleep(_LAST_HANDSHAKES_SECONDS / 10)
                self._drain(listener)
                # A refused connection a proxy takes elsewhere; a reset one may have been an act.
                listener.close()
            ends_at = time.monotonic() + STOP_KEEPALIVE_LINGER
            for conn in self.pending_conns:
                conn.timeout = min(conn.timeout, ends_at)

    def get_thread_pool(self) -> Lanes:
        return Lanes(self.cfg.threads, is_tls=self.cfg.is_ssl)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        if not has_sent_nothing(fs):
            vars(conn).pop("silent_since", None)
            super().finish_request(conn, fs)
            return
        # As the stock worker does, which waits as long as for a kept-alive connection, and drops it when it stops.
        conn.sock.setblocking(False)  # noqa: FBT003 - the socket's signature
        # Counted from its first silence: half a request for the narrow lane comes here once for each of its pieces.
        now = time.monotonic()
        conn.silent_since = getattr(conn, "silent_since", now)
        conn.timeout = conn.silent_since + self.silence_seconds if self.alive else now + STOP_KEEPALIVE_LINGER
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _drain(self, listener: Any) -> None:
        listener.setblocking(False)  # noqa: FBT003 - the socket's signature
        while self.nr_conns < self.worker_connections:
            before = self.nr_conns
            self.accept(listener)
            if self.nr_conns == before:
                return

    def handle(self, conn: Any) -> Any:
        # gunicorn wraps a socket for TLS only where it makes the parser itself.
        if not self.cfg.is_ssl:
            if conn.parser is None:
                # Who does not read an answer must not hold a thread: then `sendall` fails, and the connection ends.
                conn.sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", int(self.silence_seconds), 0)
                )
                conn.parser = RequestParser(self.cfg, _Reader(conn, self.silence_seconds), conn.client)
            conn.parser.unreader.sock.ends_at = time.monotonic() + self.request_seconds
        is_kept = super().handle(conn)
        if not is_kept and not self.cfg.is_ssl:
            with suppress(OSError):  # it is closed already
                # gunicorn waits up to 2 s for the client to close too, in the thread that accepts: twenty clients
                # who did not stopped everything for 32 s. Wait here; it then finds the end at once.
                close_graceful(conn.sock.dup())
                conn.sock.shutdown(socket.SHUT_RD)
        return is_kept

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except RequestTimeout:
            return False  # the rest of a body that nobody wanted: its request has been answered

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what never reached the application. The stock worker logs and echoes the client's own line."""
        problem = _problem(exc)
        is_ours = isinstance(problem, InternalError)
        details = {"code": problem.code.name, "reason": type(exc).__name__}
        # Line and answer carry one id: it is what a person quotes to us.
        with bind(RequestContext(request_id=token_hex(16), client=Client(address="", user_agent=""))):
            logger.log(
                logging.ERROR if is_ours else logging.WARNING,
                "request_unreadable",
                extra=details,
                exc_info=exc if is_ours else None,
            )
            try:
                metrics().refused(problem.code.name)
            except Exception:
                # A full disk, at worst. The client is answered all the same.
                logger.exception("refusal_not_counted")
            with suppress(OSError):  # the client may be gone
                write_nonblock(client, answer(problem))


class _Reader:
    """What the parser reads a client's bytes from: its socket, as long as the client is in time.

    `ends_at` (monotonic seconds) is the end of the present request's time. Only reads are bounded.
    """

    def __init__(self, conn: Any, silence_seconds: float) -> None:
        self.conn = conn
        self.silence_seconds = silence_seconds
        self.ends_at = 0.0

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises RequestTimeout, which the application may answer like any other refusal."""
        sock, left_seconds = self.conn.sock, self.ends_at - time.monotonic()
        if left_seconds <= 0:
            raise self._too_late()
        with suppress(BlockingIOError):
            # Nearly always there already; each of the calls below lets go of the GIL once more.
            return bytes(sock.recv(size, socket.MSG_DONTWAIT))
        sock.settimeout(min(left_seconds, self.silence_seconds))
        try:
            return bytes(sock.recv(size))
        except TimeoutError as error:
            raise self._too_late() from error
        finally:
            sock.settimeout(None)

    def _too_late(self) -> RequestTimeout:
        if self.conn.parser.mesg:
            self.conn.parser.mesg.force_close()  # where the next request begins is unknown
        return RequestTimeout()


def answer(problem: Problem) -> bytes:
    """The whole HTTP/1.1 answer for `problem`, with the fixed headers of every other and the present request id."""
    body = json.dumps(document(problem, instance="")).encode()
    code = problem.code
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Cache-Control": "no-store",
        "Content-Security-Policy": API_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Request-ID": current().request_id,
        **dict(HEADERS),
    }
    lines = [f"HTTP/1.1 {code.status} {code.title}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _problem(exc: Exception) -> Problem:
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, InvalidResponseHeader | InvalidResponseHeaderName):
        return InternalError()  # a header of our own answer, not of the client's request
    if isinstance(exc, LimitRequestLine):
        return UriTooLong()
    if isinstance(exc, LimitRequestHeaders):
        return HeadersTooLarge()
    if isinstance(exc, ParseException | NoMoreData | SSLError):
        return MalformedRequest()
    return InternalError()
