"""gunicorn's thread worker, which leaves nobody at the door when it stops.

The stock worker stops accepting at once but keeps its copy of the listening socket for as long as it still serves
(2 s for kept-alive connections): the kernel goes on completing connections into a backlog nobody reads, and resets
them all at the end. Measured: 8 of 8 clients cut within 40 ms of SIGTERM.
"""

from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):
    """Takes in, once, whoever is at the door when it stops, then closes the door: who comes later is refused."""

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's signature
        super().set_accept_enabled(enabled)
        if not self.alive and not enabled:
            for listener in self.sockets:
                self._drain(listener)
                # A refused connection a proxy takes elsewhere; a reset one may have been an act.
                listener.close()

    def _drain(self, listener: Any) -> None:
        listener.setblocking(False)  # noqa: FBT003 - the socket's signature
        while self.nr_conns < self.worker_connections:
            before = self.nr_conns
            self.accept(listener)
            if self.nr_conns == before:
                return
