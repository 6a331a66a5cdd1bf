"""Two hundred clients who never end what they began, and begin anew when they are sent away."""

import selectors
import socket
import threading
import time
from typing import Self

HEAD = (
    b"POST /api/auth/refresh HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n"
)
PIECE_SECONDS = 1.0


class SlowClients:
    """Keeps `count` connections open while its block lasts, half of them in their headers, half in their bodies.

    Each sends a piece every second: silence would be noticed sooner.
    """

    def __init__(self, port: int, *, count: int) -> None:
        self.begun = 0
        self._port = port
        self._count = count
        self._end = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run)
        self._errors: list[OSError] = []

    def _begin(self, is_body: bool) -> None:
        client = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        client.sendall(HEAD + (b"\r\n{" if is_body else b"X-Slow: "))
        client.setblocking(False)
        self._selector.register(client, selectors.EVENT_READ, is_body)
        self.begun += 1

    def _anew(self, client: socket.socket, is_body: bool) -> None:
        self._selector.unregister(client)
        client.close()
        self._begin(is_body)

    def _run(self) -> None:
        try:
            for number in range(self._count):
                self._begin(bool(number % 2))
            due = time.monotonic() + PIECE_SECONDS
            while not self._end.is_set():
                for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                    self._anew(key.fileobj, key.data)  # type: ignore[arg-type]  # answered or closed
                if time.monotonic() >= due:
                    due += PIECE_SECONDS
                    for key in list(self._selector.get_map().values()):
                        self._send(key.fileobj, key.data)  # type: ignore[arg-type]
        except OSError as error:
            self._errors.append(error)

    def _send(self, client: socket.socket, is_body: bool) -> None:
        try:
            client.send(b" " if is_body else b"a")
        except OSError:
            self._anew(client, is_body)  # sent away in this moment

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        if self._errors:
            raise self._errors[0]
