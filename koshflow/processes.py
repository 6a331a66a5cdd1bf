"""The processes of one launch: the server alone, or the server with the schedule's worker beside it.

`python -m koshflow.processes` is the second, small because it loads nothing of the product.
"""

import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from typing import NoReturn

from koshflow.refusal import EX_CONFIG

SERVER = [sys.executable, "-m", "gunicorn", "-c", "python:koshflow.gunicorn_conf", "koshflow.wsgi"]
WORKER = [sys.executable, "-m", "koshflow.worker"]
# What no launch loads before the server does: its own process would meet their absence with a traceback.
_LOADED_BY_THE_SERVER_ALONE = ("gunicorn", "croniter", "psutil")
GRACE_SECONDS = 20
RESTART_PAUSE_SECONDS = 2
LOOK_SECONDS = 0.2


def check_server_is_there() -> None:
    """Raises ImportError where a package is missing that the server alone needs."""
    for package in _LOADED_BY_THE_SERVER_ALONE:
        import_module(package)


def serve() -> NoReturn:
    """Become the server."""
    os.execv(SERVER[0], SERVER)  # noqa: S606 - our own interpreter and module


def serve_beside_worker(*, drain_seconds: int) -> NoReturn:
    """Become the process that runs server and worker."""
    os.execv(sys.executable, [sys.executable, "-m", "koshflow.processes", str(drain_seconds)])  # noqa: S606


def run_beside_worker(*, drain_seconds: int) -> int:
    """Run server and worker until a signal or the end of the server, end both, and return the server's exit
    code. The server, which takes `drain_seconds` longer, is told of a further signal too: it ends then at once.

    A worker that ends alone is started again, since it ends whenever PostgreSQL restarts; one that cannot run
    at all (exit 78) ends the server too.
    """
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: asked.append(received))
    # Sessions of their own: Ctrl+C reaches this process alone, which ends the two in order.
    server = subprocess.Popen(SERVER, start_new_session=True)  # noqa: S603 - constants
    worker = subprocess.Popen(WORKER, start_new_session=True)  # noqa: S603
    worker_may_start_at = 0.0
    while not asked and server.poll() is None and worker.poll() != EX_CONFIG:
        if worker.poll() is None:
            # PostgreSQL takes a moment to come back.
            worker_may_start_at = time.monotonic() + RESTART_PAUSE_SECONDS
        elif time.monotonic() >= worker_may_start_at:
            worker = subprocess.Popen(WORKER, start_new_session=True)  # noqa: S603
        # A plain look five times a second: an Event set by a signal handler can deadlock its own thread.
        time.sleep(LOOK_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _received, _frame: server.terminate())
    # The server first: what its last requests queue, the worker may still hear of.
    code = _end(server, grace_seconds=GRACE_SECONDS + drain_seconds)
    _end(worker, grace_seconds=GRACE_SECONDS)
    return code


def _end(process: subprocess.Popen[bytes], *, grace_seconds: float) -> int:
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


if __name__ == "__main__":
    sys.exit(run_beside_worker(drain_seconds=int(sys.argv[1])))
