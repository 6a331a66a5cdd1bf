"""gunicorn's thread worker: it leaves nobody at the door when it stops, waits for no request without end, and
refuses in our words what it cannot read.

The stock worker stops accepting at once but keeps its copy of the listening socket for as long as it still serves
(2 s for kept-alive connections): the kernel goes on completing connections into a backlog nobody reads, and resets
them all at the end. Measured: 8 of 8 clients cut within 40 ms of SIGTERM (docs/decisions/0008).
"""

import selectors
import socket
import struct
import time
from bisect import insort
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import BoundedSemaphore
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from gunicorn.http.parser import RequestParser
from gunicorn.util import close_graceful, write_nonblock
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from koshflow.door import is_held_by, turn_newcomers_away
from koshflow.lanes import Lanes, has_begun, has_sent_nothing, headers_of_refused, is_readable
from monitoring.draining import is_draining
from security.errors import MalformedRequest, Problem, RequestTimeout

# Longer than a handshake takes in a data centre.
_LAST_HANDSHAKES_SECONDS = 0.1
# Longer than the master takes to see a signal that came to it as well; a worker that is replaced pauses for it.
_MASTER_HEARS_SECONDS = 0.1


class DrainingWorker(ThreadWorker):
    """Takes in, once, whoever is at the door when it stops, then closes the door: who comes later is refused.

    A connection holds a thread only when it has sent the whole head of a request.

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

    def init_process(self) -> None:
        # So many threads at most wait for clients to close; a crowd that does not would hold all of them for minutes.
        self.lingering = BoundedSemaphore(max(1, self.cfg.threads // 4))
        super().init_process()

    def handle_quit(self, sig: int, frame: Any) -> None:
        # The stock one shuts the pool down here and now, in the midst of whatever this thread does: within `submit` it
        # waited for a lock that it held itself, and 5 of 28 Ctrl-C took 15 s, until the master killed it.
        super().handle_exit(sig, frame)

    def handle_exit(self, sig: int, frame: Any) -> None:
        # A supervisor may signal the master and all its workers at once, as systemd does. Ended with them, the only
        # process of a laptop's server was silent for the whole time to drain; the master says when that is over.
        if settings.DRAIN_SECONDS and self.alive and all(is_held_by(self.ppid, each) for each in self.sockets):
            time.sleep(_MASTER_HEARS_SECONDS)
            if is_draining():
                return
        super().handle_exit(sig, frame)

    def get_thread_pool(self) -> Lanes:
        return Lanes(self.cfg.threads, is_tls=self.cfg.is_ssl)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        if not has_sent_nothing(fs):
            vars(conn).pop("silent_since", None)
            super().finish_request(conn, fs)
            return
        # As the stock worker does, which waits as long as for a kept-alive connection, and drops it when it stops.
        conn.sock.setblocking(False)  # noqa: FBT003 - the socket's signature
        # Counted from its first silence: half a request comes here once for each of its pieces.
        now = time.monotonic()
        conn.silent_since = getattr(conn, "silent_since", now)
        conn.timeout = conn.silent_since + self.silence_seconds if self.alive else now + STOP_KEEPALIVE_LINGER
        if conn.timeout <= now:
            self._end_silence(conn)
            return
        # In the order of their ends: behind those who came in the meantime half a head lived for 19 s.
        insort(self.pending_conns, conn, key=lambda other: other.timeout)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def murder_pending(self) -> None:
        """End the silence of who was silent too long; and of one more where no place is left at the door.

        Who says nothing has no claim against who knocks: a thousand silent connections kept everybody out for 10 s, and
        a thousand kept-alive ones for 75 s.
        """
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            conn = self.pending_conns.popleft()
            self.poller.unregister(conn.sock)
            self._end_silence(conn)
        if self.alive and self.nr_conns >= self.worker_connections:
            # One of the greater crowd: the silent close nobody's kept connection, and the kept leave newcomers the time
            # to speak.
            for conns in sorted((self.pending_conns, self.keepalived_conns), key=len, reverse=True):
                # Not one that has just spoken, which the poller is about to tell of.
                conn = next((conn for conn in conns if not is_readable(conn.sock)), None)
                if conn is not None:
                    conns.remove(conn)
                    self.poller.unregister(conn.sock)
                    self.nr_conns -= 1
                    conn.close()
                    return

    def _end_silence(self, conn: Any) -> None:
        """Close `conn`, which nobody watches any more; who has begun a request is told why, by a thread."""
        if self.alive and not self.cfg.is_ssl and has_begun(conn):
            told = self.tpool.wide.submit(self._tell_late, conn)
            told.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))
        else:
            self.nr_conns -= 1
            conn.close()

    def _tell_late(self, conn: Any) -> bool:
        self._tell(conn, RequestTimeout())
        with suppress(OSError):
            # No lingering: a thousand of these, each for 2 s, would hold all threads for minutes.
            conn.sock.shutdown(socket.SHUT_RDWR)
        return False

    def _tell(self, conn: Any, problem: Problem) -> None:
        unread = SimpleNamespace(headers=headers_of_refused(conn))
        with suppress(OSError):  # the client may be gone
            conn.sock.recv(65536, socket.MSG_DONTWAIT)  # left unread it would make a reset of the end
            self.handle_error(unread, conn.sock, conn.client, problem)

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
            conn.parser.unreader.sock.begin(self.request_seconds)
        if (refusal := vars(conn).pop("refusal", None)) is not None:
            self._tell(conn, refusal)
            is_kept = False
        else:
            is_kept = super().handle(conn)
        if not is_kept and not self.cfg.is_ssl:
            with suppress(OSError):  # it is closed already
                # gunicorn waits up to 2 s for the client to close too, in the thread that accepts: twenty clients
                # who did not stopped everything for 32 s. Wait here; it then finds the end at once.
                if self.lingering.acquire(blocking=False):
                    try:
                        close_graceful(conn.sock.dup())
                    finally:
                        self.lingering.release()
                conn.sock.shutdown(socket.SHUT_RDWR)
        return is_kept

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        if keepalive and not self.cfg.is_ssl:
            # The rest of a body that nobody wanted: refused clients who sent none held a thread for 10 s each.
            conn.parser.unreader.sock.is_patient = False
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except RequestTimeout:
            return False

    def handle_request(self, req: Any, conn: Any) -> Any:
        # RFC 9112 section 3.2, whatever the form of the target. gunicorn itself refuses a second one.
        if req.version >= (1, 1) and not any(name == "HOST" for name, _ in req.headers):
            raise MalformedRequest("A request of HTTP/1.1 names its host in a Host header.")
        if not req.uri.startswith(("/", "*")):
            # Section 3.2.2: of two names the target's counts. gunicorn would take the path, and believe the header.
            named = urlsplit(req.uri).netloc
            req.headers = [(name, named if name == "HOST" else value) for name, value in req.headers]
        if is_draining():
            # Each answer says Connection: close, so that proxies hold few connections here when the door closes.
            self.max_keepalived = 0
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what never reached the application. The stock worker logs and echoes the client's own line."""
        headers = getattr(req, "headers", ())
        forwarded = ",".join(value for name, value in headers if name == "X-FORWARDED-FOR")
        origin = next((value for name, value in headers if name == "ORIGIN"), "")
        peer = addr[0] if isinstance(addr, tuple) else ""  # a Unix socket has none
        # Not imported: gunicorn loads this module before there are models to write an event with.
        told = self.wsgi.refuse(exc, peer=peer, forwarded_for=forwarded, origin=origin)
        with suppress(OSError):  # the client may be gone
            write_nonblock(client, told)


class _Reader:
    """What the parser reads a client's bytes from: its socket, as long as the client is in time.

    `ends_at` (monotonic seconds) is the end of the present request's time. Only reads are bounded. One that is not
    patient has what is there already.
    """

    def __init__(self, conn: Any, silence_seconds: float) -> None:
        self.conn = conn
        self.silence_seconds = silence_seconds

    def begin(self, seconds: float) -> None:
        """Wait for the next request, so long in all."""
        self.ends_at = time.monotonic() + seconds
        self.is_patient = True

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises RequestTimeout, which the application may answer like any other refusal."""
        sock, left_seconds = self.conn.sock, self.ends_at - time.monotonic()
        if left_seconds <= 0:
            raise self._too_late()
        with suppress(BlockingIOError):
            # Nearly always there already; each of the calls below lets go of the GIL once more.
            return bytes(sock.recv(size, socket.MSG_DONTWAIT))
        if not self.is_patient:
            raise self._too_late()
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
