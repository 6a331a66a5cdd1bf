"""A file system of its own that is full soon: memory, mounted while the block lasts. Needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import SkipTest

_BLOCK = 64 * 1024


@contextmanager
def small_disk(folder: Path, *, kib: int) -> Iterator[None]:
    """Inside the block `folder` lies on a disk of `kib`. Raises SkipTest where nothing may be mounted."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = f"size={kib}k,mode=700"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        raise SkipTest("nothing can be mounted here: only root may")
    try:
        yield
    finally:
        # Lazily: whoever still has a file open there must not keep it mounted for good.
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path, *, leave_bytes: int = 0) -> None:
    """Write `path` until `leave_bytes` are free on its disk; where that is 0, until not one byte more goes on."""
    with path.open("ab", buffering=0) as ballast, suppress(OSError):
        while (free := _free(path) - leave_bytes) > 0:
            ballast.write(bytes(min(free, _BLOCK)))
        while not leave_bytes:
            ballast.write(bytes(1))


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
