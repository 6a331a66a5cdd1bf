"""Starts the servers of the bench: the product and its stock peer, under the same gunicorn."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from security.crypto.keyring import generate
from tests import warm
from tests.server import ROOT, Server

# The same for both; the product's own configuration says the same, but for recycling: a worker that is
# replaced in a slice would be measured as a cost of its requests.
GUNICORN = "--workers 2 --threads 8 --keep-alive 75 --max-requests 0 --log-level warning"
PRODUCT_SETTINGS = os.environ.get("DJANGO_SETTINGS_MODULE", "koshflow.settings")


class Project:
    """A Django project with a database of its own: how to run its programs."""

    def __init__(self, *, database_url: str, folder: Path, settings: str, **environment: str) -> None:
        self.folder = folder
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME", "LANG") if name in os.environ}
        self.environment = inherited | {
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": settings,
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }

    def run(self, *arguments: str, given: str = "") -> str:
        """Output of `python -m ARGUMENTS`, which reads `given`.

        Raises RuntimeError with the end of what it complained about.
        """
        done = warm.python(["-m", *arguments], self.environment, given=given, seconds=None)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def migrate_and_seed(self, seed: str, *, sessions: int, filler: int) -> dict[str, Any]:
        """Make the tables and fill them by module `seed`; what it printed."""
        self.run("django", "migrate", "--run-syncdb", "--verbosity", "0")
        seeded: dict[str, Any] = json.loads(self.run(seed, str(sessions), str(filler)).splitlines()[-1])
        return seeded


def product(*, database_url: str, redis_url: str, folder: Path, bcrypt_rounds: int) -> Project:
    """KoshFlow as `make run` would serve it on these stores, with keys of its own in `folder`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    ring = folder / "keyring.json"
    if not ring.exists():
        for path, text in ((ring, generate()), (folder / "secret_key", "bench-" + "k" * 60)):
            path.touch(mode=0o600)
            path.write_text(text)
    return Project(
        database_url=database_url,
        folder=folder,
        settings=PRODUCT_SETTINGS,
        REDIS_URL=redis_url,
        KOSHFLOW_ENV="local",
        KOSHFLOW_DATA_DIR=str(folder),
        BCRYPT_ROUNDS=str(bcrypt_rounds),
        WEB_WORKERS="2",
        WEB_THREADS="8",
        # The limits work, and no load of ours reaches them.
        **{f"RATE_LIMIT_{name}": "9000000/15m" for name in ("GENERAL", "ADDRESS", "REGISTER", "PAGES")},
    )


def stock(*, database_url: str, folder: Path) -> Project:
    """The peer, in a fresh database beside the product's."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE stock")
    url = database_url.rpartition("/")[0] + "/stock"
    return Project(database_url=url, folder=folder, settings="tests.performance.stock.settings")


def serve_product(project: Project, *, probe: str = "/health/live") -> Server:
    """The product under its own gunicorn configuration."""
    return _serve(project, "--config", "python:koshflow.gunicorn_conf", "koshflow.wsgi", probe=probe)


def serve_stock(project: Project) -> Server:
    """The peer with the same settings, loaded before the fork as the product is."""
    return _serve(project, "--worker-class", "gthread", "--preload", "tests.performance.stock.wsgi", probe="/api/me/")


def _serve(project: Project, *arguments: str, probe: str) -> Server:
    return Server(*GUNICORN.split(), *arguments, folder=project.folder, environment=project.environment, probe=probe)


def run_load(*, port: int, connections: Sequence[dict[str, Any]], seconds: float) -> "subprocess.Popen[str]":
    """A running `tests.performance.load`; give the process to `load_result`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.performance.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    json.dump({"port": port, "seconds": seconds, "connections": list(connections)}, process.stdin)
    process.stdin.close()
    return process


def load_result(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What the load measured. Raises RuntimeError where it failed; it ends by itself."""
    assert process.stdout is not None
    text = process.stdout.read()
    if process.wait():
        raise RuntimeError("the load generator failed, see above")
    result: dict[str, Any] = json.loads(text)
    return result
