"""Which file a process counts in: numbered slots, each held by one living process through a file lock.

A worker that ends, however it ends, leaves its file to the next holder of the slot, who counts on. So totals are
never lost, and five hundred recycled workers leave as many files as ever lived at once. It knows nothing of what
is counted.
"""

import fcntl
import logging
import os
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from prometheus_client.mmap_dict import MmapedDict

logger = logging.getLogger("monitoring.metrics")

MAX_SLOTS = 256
# Gauges of the living only: a file of this kind says nothing once its process is gone.
GAUGE = "gauge_livesum"
# Bytes reserved on disk for each kind of file: a full disk must refuse here, at the start, and not end a worker
# with SIGBUS when it first touches a hole of the mapped file.
_RESERVED_BYTES = {"histogram": 1 << 20, "counter": 1 << 18, GAUGE: 1 << 16}
_UNREADABLE = (RuntimeError, ValueError, struct.error)  # ValueError covers UnicodeDecodeError


class NoFreeSlot(RuntimeError):  # noqa: N818 - named for what happened
    """More than MAX_SLOTS processes count on this machine."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A number in a folder, and the lock file of the process that holds it."""

    number: int
    directory: Path

    @property
    def lock_path(self) -> Path:
        return self.directory / f"slot_{self.number}.lock"

    def path(self, kind: str) -> Path:
        return self.directory / f"{kind}_{self.number}.db"

    @property
    def paths(self) -> list[Path]:
        """Its files that exist and hold something."""
        return [path for path in map(self.path, _RESERVED_BYTES) if path.exists() and path.stat().st_size]

    def holder(self) -> int | None:
        """Process id of the living holder, None where nobody holds it."""
        descriptor = _locked(self.lock_path, create=False)
        if descriptor is not None:
            os.close(descriptor)
            return None
        try:
            return int(self.lock_path.read_text() or 0) or None
        except (FileNotFoundError, ValueError):
            return None


class _State:
    """What this process holds. `generation` changes whenever values made before are no longer its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.generation = 0
        self.directory: Path | None = None
        self.slot: Slot | None = None
        self.descriptor: int | None = None
        self.server: int | None = None


_state = _State()


def generation() -> int:
    """Changes with each lease and each fork: whoever keeps values for a slot must make them anew."""
    return _state.generation


def lease(directory: Path | None = None) -> Slot:
    """Hold the lowest free slot in `directory` (default: `metrics` in the data folder) until this process ends.

    Call it in each process that serves, after the last fork; a second call changes nothing. A process that never
    calls it counts in its own memory. A child forked from a holder takes a slot of its own when it first counts.
    Raises NoFreeSlot, and OSError where the folder cannot be written or the disk is full.
    """
    with _state.lock:
        if _state.slot is None:
            _state.directory = directory or settings.DATA_DIR / "metrics"
            _take(_state.directory)
        assert _state.slot is not None  # noqa: S101 - for the type checker
        return _state.slot


def current() -> Slot | None:
    """The slot of this process; None where it counts in its own memory."""
    if _state.slot is None and _state.directory is not None:
        return lease(_state.directory)
    return _state.slot


def release() -> None:
    """Give the slot back, its totals with it; from now on this process counts in its own memory."""
    with _state.lock:
        for descriptor in (_state.descriptor, _state.server):
            if descriptor is not None:
                os.close(descriptor)
        _state.descriptor = _state.slot = _state.directory = _state.server = None
        _state.generation += 1


def begin(directory: Path | None = None) -> None:
    """Forget the totals of every slot that nobody holds, unless another server counts here. A server calls it once,
    when it starts, and its workers inherit the mark that it leaves.

    Two servers on one folder are a blue and a green one: the totals of a worker that was just killed are the other's.
    """
    directory = directory or settings.DATA_DIR / "metrics"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "servers.lock"
    descriptor = _locked(path, create=True)
    if descriptor is None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    else:
        _wipe(directory)
    # Shared from here on, and held until the last process of this server is gone.
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _state.server = descriptor


def _wipe(directory: Path) -> None:
    for slot in slots(directory):
        # The lock file stays: a file removed under a waiting opener would be locked by two.
        descriptor = _locked(slot.lock_path, create=True)
        if descriptor is not None:
            for kind in _RESERVED_BYTES:
                slot.path(kind).unlink(missing_ok=True)
            os.close(descriptor)


def slots(directory: Path) -> list[Slot]:
    """Every slot that was ever held in `directory`."""
    numbers = (path.stem.removeprefix("slot_") for path in directory.glob("slot_*.lock"))
    return [Slot(int(number), directory) for number in sorted(numbers, key=int)]


def readable(path: Path) -> bool:
    """Whether the file can be read whole; one that a lost power supply tore is left out and told of."""
    try:
        for _ in MmapedDict.read_all_values_from_file(str(path)):
            continue
    except FileNotFoundError:
        return False  # a server that starts has wiped it meanwhile
    except _UNREADABLE as error:
        logger.warning("metrics_file_unreadable", extra={"file": path.name}, exc_info=error)
        return False
    return True


def _take(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(MAX_SLOTS):
        slot = Slot(number, directory)
        descriptor = _locked(slot.lock_path, create=True)
        if descriptor is None:
            continue
        try:
            _prepare(slot)
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except OSError:
            os.close(descriptor)
            raise
        _state.descriptor, _state.slot = descriptor, slot
        _state.generation += 1
        return
    raise NoFreeSlot(f"all {MAX_SLOTS} slots in {directory} are held")


def _prepare(slot: Slot) -> None:
    slot.path(GAUGE).unlink(missing_ok=True)
    for kind, size in _RESERVED_BYTES.items():
        path = slot.path(kind)
        if path.exists() and path.stat().st_size and not readable(path):
            path.unlink()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)


def _locked(path: Path, *, create: bool) -> int | None:
    """Descriptor of the lock file, locked; None where another process holds it or it does not exist.

    flock, not POSIX locks: those are lost as soon as the process closes any descriptor of the file, and reading
    who lives opens each of them.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _after_fork() -> None:
    """The lock is the parent's: a child lets go of its copy of the descriptor, which does not unlock."""
    _state.lock = threading.Lock()
    _state.generation += 1
    if _state.descriptor is not None:
        with suppress(OSError):
            os.close(_state.descriptor)
        _state.descriptor = _state.slot = None


os.register_at_fork(after_in_child=_after_fork)
