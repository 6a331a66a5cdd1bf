"""Runs one gunicorn for a test, and ends it."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests import warm
from tests.performance.cpu import read_tree
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60


class Server:
    """A running gunicorn, from the moment `probe` is answered; its log lies in `folder`.

    `is_warm` begins it from a Python that has the libraries loaded: not where its time or memory is measured.
    Raises RuntimeError with the end of its log where it does not start.
    """

    _process: warm.Process

    def __init__(
        self, *arguments: str, folder: Path, environment: Mapping[str, str], probe: str, is_warm: bool = False
    ) -> None:
        self.port = free_port()
        self.log = folder / f"gunicorn-{self.port}.log"
        started = time.monotonic()
        command = ["-m", "gunicorn", *arguments, "--bind", f"127.0.0.1:{self.port}"]
        with self.log.open("wb") as log:
            if is_warm:
                self._process = warm.start(command, environment, output=log)
            else:
                self._process = subprocess.Popen(
                    [sys.executable, *command],
                    cwd=ROOT,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        try:
            self._wait(probe)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - started

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers."""
        return [pid for pid in read_tree(self.pid) if pid != self.pid]

    def _wait(self, probe: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            # Refused before it listens, silent before a worker has started; 401 of a probe is an answer too.
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{self.port}{probe}", timeout=5).close()
                except urllib.error.HTTPError as error:
                    if error.code != 401:
                        raise RuntimeError(f"{probe} answers {error.code}:\n{self.log_tail()}") from error
                return
            time.sleep(0.02)
        raise RuntimeError(f"gunicorn did not start:\n{self.log_tail()}")

    def metrics(self) -> dict[str, float]:
        """What /metrics tells, by name and labels as they stand there: `kf_refusals_total{code="NOT_FOUND"}`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    @property
    def has_ended(self) -> bool:
        """Whether the server is gone."""
        return self._process.poll() is not None

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.poll()

    def log_tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def tell(self, number: signal.Signals) -> None:
        """Send its master a signal; nothing where it has ended."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it in order; after 20 s by force, with everything it started."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
