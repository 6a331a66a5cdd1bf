"""Starts of our programs from a Python that has the libraries loaded already: two thirds of what a start costs.

    ended = python(["manage.py", "check"], environment)
    server = start(["-m", "gunicorn", "koshflow.wsgi"], environment, output=log)
    f"{CLIENT} manage.py check"  # in a shell, in the place of the interpreter, with warm() in its environment

Each is a process of its own, forked from one that never loaded a module of ours or read a setting: environment, folder,
arguments, streams and exit code are those of a start. Not in a shell for what is signalled: the client stands between.
"""

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, NoReturn

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "WARM_ADDRESS"
CLIENT = f"{sys.executable} -I -S {Path(__file__)}"
_OURS = ("accounts", "koshflow", "monitoring", "security", "manage", "tests", "__main__", "__mp_main__")
# They read settings when they are loaded, and would fail without.
_WITH_SETTINGS = ("django.contrib", "rest_framework", "drf_spectacular")
# What a server and the worker of the schedule load beside what the paths of the product do.
_OF_SERVERS = ("gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "procrastinate")


def python(
    arguments: Sequence[str], environment: Mapping[str, str], *, given: str = "", seconds: float | None = 60
) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS` in the repository, ended; a cold one where PYTHONPATH decides what it finds."""
    is_cold = "PYTHONPATH" in environment
    return subprocess.run(
        [*([sys.executable] if is_cold else CLIENT.split()), *arguments],
        cwd=ROOT,
        env={**environment} if is_cold else {**environment, **warm()},
        input=given,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Started:
    """A running `python ARGUMENTS` in the repository, which leads a group of its own; used as a Popen is."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: BinaryIO | int) -> None:
        self.returncode: int | None = None
        self._told = socket.socket(socket.AF_UNIX)
        with open(os.devnull, "r+b") as nothing:
            out = nothing if output == subprocess.DEVNULL else output
            _hand_over(self._told, warm()[ADDRESS], arguments, environment, ROOT, [nothing, out, out], leads=True)
        self._words = self._told.makefile("rb")
        self.pid = int(self._words.readline())

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._words.readline())
            self._words.close()
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = Started | subprocess.Popen[bytes]


def start(arguments: Sequence[str], environment: Mapping[str, str], *, output: BinaryIO | int) -> Process:
    """`python ARGUMENTS`, running: for what is signalled and waited for. `output` takes both of its streams."""
    if "PYTHONPATH" not in environment:
        return Started(arguments, environment, output)
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@cache
def warm() -> dict[str, str]:
    """What a process that uses CLIENT has in its environment. The one that forks is begun once and ends with us."""
    listener = socket.socket(socket.AF_UNIX)
    folder = tempfile.mkdtemp()
    address = f"{folder}/s"
    listener.bind(address)
    listener.listen(16)
    life, ours = os.pipe()  # its other end closes when we end, however we do
    os.set_inheritable(ours, False)
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(listener.fileno()), str(life), folder],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        pass_fds=(listener.fileno(), life),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    listener.close()
    os.close(life)
    atexit.register(_end, server, ours)
    return {ADDRESS: address}


def _end(server: subprocess.Popen[bytes], ours: int) -> None:
    os.close(ours)
    server.wait()


def _ask() -> int:
    """The client: hand over arguments, environment, folder and streams; the exit code of what became of them."""
    environment = dict(os.environ)
    with socket.socket(socket.AF_UNIX) as server:
        _hand_over(server, environment.pop(ADDRESS), sys.argv[1:], environment, Path.cwd(), [0, 1, 2], leads=False)
        with server.makefile("rb") as words:
            _, code = words
    # As a shell says it of one that ended by a signal.
    return int(code) if int(code) >= 0 else 128 - int(code)


def _hand_over(
    server: socket.socket,
    address: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    streams: Sequence[BinaryIO | int],
    *,
    leads: bool,
) -> None:
    os.umask(mask := os.umask(0o077))
    server.connect(address)
    said = [list(arguments), dict(environment), str(folder), mask, leads]
    rights = array.array("i", [one if isinstance(one, int) else one.fileno() for one in streams])
    server.sendmsg([json.dumps(said).encode() + b"\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def _serve(listener: socket.socket, life: int, folder: str) -> list[str] | None:
    """Fork until nobody is there to ask. Returns in each forked process, with the arguments of what it is to run."""
    _load()
    while True:
        ready, _, _ = select.select([listener, life], [], [])
        if life in ready:
            (Path(folder) / "s").unlink()
            Path(folder).rmdir()
            return None
        client, _ = listener.accept()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            listener.close()
            os.close(life)
            return _become(client)
        client.close()


def _become(client: socket.socket) -> list[str]:
    said, streams, _, _ = socket.recv_fds(client, 65536, 3)
    while not said.endswith(b"\n"):
        said += client.recv(65536)
    arguments, environment, folder, mask, leads = json.loads(said)
    command = os.fork()
    if leads:
        os.setpgid(command, command)  # by both, as either may be the first to go on
    if command:
        _watch(client, command, streams)
    client.close()
    for ours, theirs in enumerate(streams):
        os.dup2(theirs, ours)
        os.close(theirs)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(mask)
    return list(arguments)


def _watch(client: socket.socket, command: int, streams: Sequence[int]) -> NoReturn:
    """Tell the client its id, and how it ended; end it where the client is gone."""
    for stream in streams:  # who reads them sees the end as soon as the command closed its own
        os.close(stream)
    with suppress(OSError):
        client.sendall(f"{command}\n".encode())
    ended = os.pidfd_open(command)
    ready, _, _ = select.select([client, ended], [], [])
    if ended not in ready:
        os.kill(command, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with suppress(OSError):
        client.sendall(f"{code}\n".encode())
    os._exit(0)


def _load() -> None:
    """Load what a command loads, but for what is ours or reads settings."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.environ |= {"KOSHFLOW_ENV": "test", "DJANGO_SETTINGS_MODULE": "koshflow.settings"}
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        importlib.import_module("koshflow.urls")
        os.write(writer, " ".join(sys.modules).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as names:
        modules = names.read().split()
    os.wait()
    for name in (*modules, *_OF_SERVERS):
        if not name.startswith(_WITH_SETTINGS) and name.partition(".")[0] not in _OURS:
            with suppress(Exception):  # it is loaded when it is wanted
                importlib.import_module(name)
    # A look for garbage among them would write to pages that all share.
    gc.freeze()


def _program(arguments: list[str]) -> None:
    """As the interpreter does with these arguments."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path[0] = ""
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        wanted = _serve(socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3]), sys.argv[4])
        if wanted is not None:
            _program(wanted)
    else:
        sys.exit(_ask())
