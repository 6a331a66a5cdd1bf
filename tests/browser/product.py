"""The product as `make run` starts it, on a folder and a port of its own. Who visits it is `visitor.py`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import warm
from tests.ports import free_port

START_SECONDS = 90
# Chromium sends what it has gathered for `report-to` at the latest after a minute.
REPORT_SECONDS = 90


@dataclass
class Product:
    """A running server: where it is, and the first administrator it printed."""

    url: str
    email: str
    password: str
    environment: dict[str, str]
    log: Path

    def register(self, *, user_agent: str = "", **fields: str) -> dict:
        """The answer to a company's registration over the API."""
        body = {
            "companyName": "Lotus Traders",
            "companyEmail": "office@lotus.example.in",
            "adminName": "Asha Rao",
            "adminEmail": "asha@lotus.example.in",
            "password": "Monsoon-Ledger-47",
            "phone": "+919876543210",
        } | fields
        request = urllib.request.Request(
            f"{self.url}/api/auth/register",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "User-Agent": user_agent or "koshflow-tests"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def call(self, function: str) -> object:
        """What `function` ("package.module.name") answers, as JSON, in a process of its own on the server's data."""
        module, _, name = function.rpartition(".")
        code = f"import json; from {module} import {name}; print(json.dumps({name}()))"
        done = warm.python(["manage.py", "shell", "-c", code], self.environment, seconds=START_SECONDS)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def policy_reports(self) -> list[tuple[str, str, str]]:
        """(directive, what was blocked, page) of each report that browsers sent, as the server noted them."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if '"csp_violation"' in line]
        return [(line["directive"], line["blocked"], line["page"]) for line in lines]

    def has_noted(self, report: tuple[str, str, str]) -> bool:
        """Whether the server noted this report in time: a browser sends it when it likes, after others or with them."""
        deadline = time.monotonic() + REPORT_SECONDS
        while report not in self.policy_reports() and time.monotonic() < deadline:
            time.sleep(0.1)
        return report in self.policy_reports()


@contextlib.contextmanager
def running_product(folder: Path, *, certificate: Path | None = None) -> Iterator[Product]:
    """The product on a fresh `folder`, ended with everything it started.

    Over HTTPS where it gets a `certificate`, a file of PEM with its key.
    """
    port = free_port()
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    own = {"KOSHFLOW_ENV": "local", "KOSHFLOW_DATA_DIR": str(folder / "data"), "PORT": str(port), "PUBLIC_URL": url}
    environment = kept | own | {"BCRYPT_ROUNDS": "4"}
    if certificate:
        environment["GUNICORN_CMD_ARGS"] = f"--certfile={certificate} --keyfile={certificate}"
    log = folder / "server.log"
    with log.open("wb") as output:
        server = warm.start(["-m", "koshflow.launch"], environment, output=output)
        try:
            _wait(url, server, log)
            text = log.read_text()
            email = re.search(r"First administrator: (\S+)", text)[1]
            password = re.search(r"Password, shown this once: (\S+)", text)[1]
            yield Product(url, email, password, environment, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _wait(url: str, server: warm.Process, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            # Whether a browser trusts it is the browser's matter.
            with urllib.request.urlopen(f"{url}/health/live", timeout=2, context=ssl._create_unverified_context()):
                return
        except OSError:
            time.sleep(0.2)  # the server is another process: there is nothing to wait upon
    raise AssertionError(f"the product did not start:\n{log.read_text()}")
