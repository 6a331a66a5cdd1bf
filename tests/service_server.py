"""Owns what a test can do to a server, and its port; `tests.services` says which program runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from tests.ports import free_port
from tests.service_binaries import Binaries, version_of
from tests.service_process import PrivateProcess, ServiceFailedError

CLASHES_BEFORE_GIVING_UP = 5


class NotOursError(RuntimeError):
    """A server given by URL can be used, not hurt."""


class Server:
    """A server given by URL: for use only. `superuser_url` is the same server with its owner's rights."""

    pid: int | None = None

    def __init__(self, *, name: str, version: str, origin: str, url: str, superuser_url: str = "") -> None:
        self.name = name
        self.version = version
        self.origin = origin
        self.url = url
        self.superuser_url = superuser_url or url

    @property
    def flavour(self) -> str:
        """`Debian 15.18`, `wheel 18.6`, `system 7.0.15`, or `external`."""
        return self.origin if self.origin == "external" else f"{self.origin} {self.version}"

    @property
    def description(self) -> str:
        """`PostgreSQL 15.18 Debian`, as closing lines name it."""
        return f"{self.name} {self.version}" + ("" if self.origin == "system" else f" {self.origin}")

    def start(self) -> None:
        self._refuse("start")

    def kill(self) -> None:
        self._refuse("kill")

    def pause(self) -> None:
        self._refuse("pause")

    def resume(self) -> None:
        self._refuse("resume")

    def stop(self) -> None:
        """End what we started; a server given by URL stays as it is."""

    def _refuse(self, act: str) -> None:
        raise NotOursError(f"Cannot {act} the {self.name} given by URL; ask for one with private=True.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class PrivateServer(Server):
    """A server we started: may be killed, paused, stopped, and started again on its port and files."""

    def __init__(
        self,
        *,
        process: PrivateProcess,
        command: Callable[[int], Sequence[str | Path]],
        is_ready: Callable[[str], bool],
        url: str,
        superuser_url: str = "",
        name: str,
        binaries: Binaries,
    ) -> None:
        self._process, self._command, self._is_ready = process, command, is_ready
        self._port, refused = free_port(), 0
        while True:
            super().__init__(
                name=name,
                version=version_of(binaries),
                origin=binaries.origin,
                url=url.replace("PORT", str(self._port)),
                superuser_url=superuser_url.replace("PORT", str(self._port)),
            )
            try:
                self.start()
            except ServiceFailedError as failure:
                refused += 1
                if "in use" not in str(failure) or refused == CLASHES_BEFORE_GIVING_UP:
                    raise
                self._port = free_port()
            else:
                return

    @property
    def folder(self) -> Path:
        return self._process.folder

    @property
    def pid(self) -> int | None:  # type: ignore[override]
        return self._process.pid

    def start(self) -> None:
        """Start, or start again after `kill`, and wait until it answers."""
        if self._process.pid is None:
            self._process.start(self._command(self._port), lambda: self._is_ready(self.superuser_url))

    def kill(self) -> None:
        self._process.kill()

    def pause(self) -> None:
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def stop(self) -> None:
        self._process.stop()
