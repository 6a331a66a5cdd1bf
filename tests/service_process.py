"""Owns one server process in a folder of its own: whom it runs as, how it is hurt, that nothing of it stays.

It knows neither PostgreSQL nor Redis; `tests.services` does. Run as a script, it is the keeper of one folder.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 60.0
KILL_SECONDS = 10.0
POLL_SECONDS = 0.02


class ServiceFailedError(RuntimeError):
    """A server ended or stayed silent while starting; the text holds the end of its log."""


def unprivileged() -> dict[str, Any]:
    """Popen arguments that make root's children run as `nobody`, for PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def is_reachable(path: Path) -> bool:
    """Whether the servers' account may read and enter `path`: a checkout in /root is closed to `nobody`."""
    if os.geteuid() != 0:
        return True
    everyone = stat.S_IROTH | stat.S_IXOTH
    path = path.resolve()
    return path.stat().st_mode & everyone == everyone and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in path.parents
    )


def kill_tree(pid: int) -> None:
    """SIGKILL a process and everything it started, at one blow, and wait until they are gone."""
    try:
        master = psutil.Process(pid)
        master.suspend()  # or it would start children while we count them
        tree = [master, *master.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + KILL_SECONDS
    while any(map(_is_alive, tree)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    """A zombie is dead: it holds neither port nor memory; a container's init may reap it seconds later."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def remove(folder: Path) -> None:
    """Delete the folder, and the shared memory that a killed PostgreSQL could not give back."""
    try:
        # Line 7 of postmaster.pid: key and id of the segment that guards the data folder.
        segment = (folder / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]
        owner = folder.stat()
    except (OSError, IndexError):
        pass  # no PostgreSQL, or it ended in order and took the segment with it
    else:
        # As the folder's owner: a file that `nobody` may write must not choose which segment root removes.
        identity: dict[str, Any] = {"user": owner.st_uid, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(["ipcrm", "-m", segment], stderr=subprocess.DEVNULL, check=False, **identity)
    shutil.rmtree(folder, ignore_errors=True)


class PrivateProcess:
    """A server in a temporary folder (mode 0700), ended and removed with us, however we end.

    A second process, the keeper, waits on a pipe that only we hold open. When we end, be it by SIGKILL, the
    pipe closes; the keeper kills the server and deletes the folder. Not PR_SET_PDEATHSIG: it fires when the
    *thread* that started the server ends, exists on Linux only, and deletes no folder. Not signal handlers:
    they would fight pytest's, and never see SIGKILL.
    """

    def __init__(self) -> None:
        self.folder = _private_folder()
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._owner_pid = os.getpid()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", __file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C and a killed process group must not reach it
        )
        atexit.register(self.stop)

    @property
    def pid(self) -> int | None:
        """Process id of the running server, None while it is down."""
        return self._process.pid if self._process else None

    @property
    def exited(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def log_tail(self, lines: int = 12) -> str:
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files (mode 0600) that the server's account owns."""
        for name, content in files.items():
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_bytes(content)
            self._give(path)

    def copy(self, source: Path, name: str, *, leave_out: Sequence[str] = ()) -> Path:
        """Copy a tree or file into the folder, for an account that cannot reach the original."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*leave_out))
        else:
            shutil.copy2(source, target)
        top = self.folder / Path(name).parts[0]
        for path in (top, *top.rglob("*")):
            self._give(path)
        return target

    def run(self, command: Sequence[str | Path]) -> None:
        """Run one command to its end as the server's account; ServiceFailedError when it fails."""
        with self._log.open("ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, timeout=START_SECONDS, check=False, **self._how())
        if done.returncode:
            raise ServiceFailedError(f"{command[0]} failed:\n{self.log_tail()}")

    def start(self, command: Sequence[str | Path], ready: Callable[[], bool]) -> None:
        """Start the server and wait until `ready` says so."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._how())
        self._tell_keeper(f"{self._process.pid} {psutil.Process(self._process.pid).create_time()}")
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self.exited or time.monotonic() > deadline:
                self.kill()
                raise ServiceFailedError(f"{command[0]} did not start:\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the server and all its children, as a power cut would; files stay."""
        if self._process is None:
            return
        kill_tree(self._process.pid)
        self._process.wait()
        self._process = None
        self._tell_keeper("0 0")

    def pause(self) -> None:
        """SIGSTOP to the server and its children: connections open, nobody answers."""
        self._master().suspend()  # first, or it would start and end children while we count them
        self._signal_children("suspend")

    def resume(self) -> None:
        self._signal_children("resume")
        self._master().resume()

    def stop(self) -> None:
        """End the server for good and delete its folder; harmless when done before."""
        if os.getpid() != self._owner_pid:
            return  # a forked child that exits must not take its parent's server along
        atexit.unregister(self.stop)
        self.kill()
        remove(self.folder)
        self._keeper.communicate()

    def _master(self) -> psutil.Process:
        if self._process is None:
            raise ServiceFailedError("The server is down.")
        return psutil.Process(self._process.pid)

    def _signal_children(self, act: str) -> None:
        for process in self._master().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it was about to end, and now has
                getattr(process, act)()

    def _how(self) -> dict[str, Any]:
        # A bare environment: what the tests know (keys, URLs) is none of the servers' business.
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        # Its own process group: Ctrl-C must reach pytest before the servers it is using go away.
        return {
            "env": environment,
            "cwd": self.folder,
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
        } | unprivileged()

    def _give(self, path: Path) -> None:
        if identity := unprivileged():
            os.chown(path, identity["user"], identity["group"], follow_symlinks=False)

    def _tell_keeper(self, line: str) -> None:
        if self._keeper.stdin and not self._keeper.stdin.closed:
            self._keeper.stdin.write(f"{line}\n".encode())
            self._keeper.stdin.flush()


def _private_folder() -> Path:
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    parent = next((path for path in candidates if path.is_dir() and is_reachable(path)), candidates[0])
    folder = Path(tempfile.mkdtemp(prefix="koshflow-test-", dir=parent))
    if identity := unprivileged():
        os.chown(folder, identity["user"], identity["group"])
    return folder


def keep(folder: Path, lines: Sequence[str]) -> None:
    """What the keeper does once its pipe has closed; each line names the process then running, "0 0" none."""
    pid, created = lines[-1].split() if lines else ("0", "0")
    with contextlib.suppress(psutil.NoSuchProcess):
        # The start time as well: after a reboot of ids, the number may belong to a stranger.
        if int(pid) and str(psutil.Process(int(pid)).create_time()) == created:
            kill_tree(int(pid))
    if folder.exists():
        remove(folder)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), sys.stdin.read().splitlines())
