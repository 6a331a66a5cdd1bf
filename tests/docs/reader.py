"""Somebody who reads our documents at a terminal, and pastes what stands there."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests import warm
from tests.koshflow.servers import ROOT, Launch, an_environment

_SECONDS = 120
# curl tells the status of each answer beside it, without a word of the pasted commands changed.
_CURLRC = 'write-out = "%{stderr}%{http_code} %{method}\\n"\n'


class Reader:
    """Somebody at a terminal in the repository, whose server runs on a folder of their own.

    Given the `home` of an earlier one, they go on with what is there.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.began = home, datetime.now(UTC)
        self.folder = home / "var"
        self.environment = an_environment(self.folder, CURL_HOME=str(home))
        (home / "etc").mkdir(parents=True, exist_ok=True)
        (home / ".curlrc").write_text(_CURLRC)

    def here(self, text: str, *, python: str = sys.executable) -> str:
        """`text` for this machine."""
        text = text.replace(".venv/bin/python", python).replace(" var/", f" {self.folder}/")
        text = text.replace("/var/lib/koshflow", f"{self.home}/lib")
        return text.replace("/etc/koshflow", f"{self.home}/etc").replace(
            "http://127.0.0.1:8000", f"http://127.0.0.1:{self.environment['PORT']}"
        )

    def paste(self, text: str, *, code: int = 0, **environment: str) -> subprocess.CompletedProcess:
        """`text` in bash, line after line; raises AssertionError where it ends with another code."""
        ended = subprocess.run(
            ["bash", "-e"],
            input=self.here(text, python=warm.CLIENT),
            cwd=ROOT,
            env=self.environment | environment | warm.warm(),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert ended.returncode == code, (ended.returncode, ended.stdout, ended.stderr)
        return ended

    def reads_a_review(self, text: str) -> None:
        """In the last week a server of today counted nothing; where Monday has begun since it was started, it may have.

        Looked at once the command has ended: Monday may begin while it runs.
        """
        ended = self.paste(f"{{ {text} }} || test $? = 1")
        today = datetime.now(UTC).date()
        is_of_this_week = self.began.date() >= today - timedelta(days=today.weekday())
        counted = "" if is_of_this_week else "^Performance, week of|"
        assert re.search(f"{counted}no request was counted in the week of", ended.stdout + ended.stderr), ended

    @contextmanager
    def serving(self, text: str, **environment: str) -> Iterator[Launch]:
        """The server that `text` starts in the foreground, once it answers; ended as Ctrl+C does."""
        launch = _Pasted(self.here(text), self.environment | environment, self.home / "pasted.log")
        try:
            yield launch.until_it_answers()
        finally:
            os.killpg(launch.process.pid, signal.SIGINT)
            launch.process.wait(60)

    def as_root(self) -> dict[str, str]:
        """An environment in which what only root may do is written down instead, in `done`."""
        stubs = self.home / "root"
        stubs.mkdir(exist_ok=True)
        for name in ("useradd", "chown"):
            (stubs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {stubs}/done\n')
            (stubs / name).chmod(0o755)
        return {"PATH": f"{stubs}:{self.environment['PATH']}"}


class _Pasted(Launch):
    """A launch by other words."""

    def __init__(self, text: str, environment: dict[str, str], log: Path) -> None:
        self.environment, self.log = environment, log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                ["bash", "-c", text],
                cwd=ROOT,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
