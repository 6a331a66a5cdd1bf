"""The HTTP shell of a witness: one path, few threads, bounded bodies and times. Decides nothing about checkpoints."""

import logging
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from security.tlog.witness import MAX_BODY_BYTES, Refused, WitnessUnavailable, cosign

logger = logging.getLogger("security.tlog.witness")

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
MAX_CONNECTIONS = 32
SILENCE_SECONDS = 10
# However slowly it sends: a connection that lives as long as it likes holds one of the few threads.
CONNECTION_SECONDS = 60


class WitnessServer(ThreadingHTTPServer):
    """Serves the witness of `folder` on (host, port); port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.folder = folder
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand the connection to a thread; close it where too many are open."""
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The connection's thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; the traceback of anything else is."""
        logger.warning("audit_witness_connection_failed", exc_info=True)  # noqa: LOG014 - called from one


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "audit-witness", ""
    timeout = SILENCE_SECONDS
    server: WitnessServer

    def setup(self) -> None:
        super().setup()
        self._end = threading.Timer(CONNECTION_SECONDS, self._cut)
        self._end.daemon = True
        self._end.start()

    def finish(self) -> None:
        self._end.cancel()
        super().finish()

    def _cut(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has just ended by itself

    def do_POST(self) -> None:
        if unfit := self._unfit():
            self.send_error(unfit)
            return
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        try:
            line = cosign(self.server.folder, body, now=int(time.time()))
        except Refused as refused:
            told = {"status": int(refused.status), "what": str(refused)}
            if refused.note:
                logger.error("audit_witness_saw_another_tree", extra=told | {"note": refused.note})  # noqa: TRY400
            else:
                logger.warning("audit_witness_refused", extra=told)
            if refused.size is None:
                self._answer(refused.status, f"{refused}\n")
            else:
                self._answer(refused.status, f"{refused.size}\n", content_type=SIZE_TYPE)
        except WitnessUnavailable as unavailable:
            logger.error("audit_witness_unavailable", extra={"what": str(unavailable)})  # noqa: TRY400 - no bug of ours
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "the witness cannot write its state\n", retry_after=10)
        else:
            self._answer(HTTPStatus.OK, line)

    def do_GET(self) -> None:
        is_known = self.path == PATH
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED if is_known else HTTPStatus.NOT_FOUND)

    def _unfit(self) -> HTTPStatus | None:
        """Why the request is refused before its body is read."""
        lengths = self.headers.get_all("Content-Length", [])
        if self.path != PATH:
            return HTTPStatus.NOT_FOUND
        if "Transfer-Encoding" in self.headers or not lengths:
            return HTTPStatus.LENGTH_REQUIRED
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            return HTTPStatus.BAD_REQUEST
        is_too_large = len(lengths[0]) > 9 or int(lengths[0]) > MAX_BODY_BYTES
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_too_large else None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no submission at all, and end the connection: part of it may not be read yet."""
        self.close_connection = True
        self._answer(code, f"{HTTPStatus(code).phrase}\n")

    def _answer(
        self, status: int, text: str, *, content_type: str = "text/plain; charset=utf-8", retry_after: int = 0
    ) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", str(retry_after))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Requests are told of above, by name."""
