"""How our processes say no: one line a reason, what to do about it, and a code that is not 0.

Needs no package, for one that is missing is a reason too.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from koshflow.variables import ROOT

EX_REFUSED = 2  # 1 is left to what a command finds, by which programs judge
EX_CONFIG = 78  # sysexits.h: what is set is wrong; starting again will not help
# Said by the launch, which asks first, and by the server where it is begun without one.
STORES_NOT_SHARED = "more than one worker needs DATABASE_URL and REDIS_URL; set both, or WEB_WORKERS=1."
FOLDER_IN_USE = "a server runs on {folder} already; stop it, or set another KOSHFLOW_DATA_DIR."
_OURS = ("accounts", "koshflow", "monitoring", "security")


class ConfigurationError(Exception):
    """The environment cannot run this product; `problems` holds one sentence per variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Refusal(Exception):  # noqa: N818 - it becomes the line that the operator reads
    """Why this cannot run, and what to do about it."""


def leave(code: int, *sentences: str) -> NoReturn:
    """End this process with `code` and `sentences` on standard error, one a line."""
    for sentence in sentences:
        sys.stderr.write(f"koshflow: {sentence}\n")
    sys.stderr.flush()
    sys.exit(code)


@contextmanager
def packages_in_words() -> Iterator[None]:
    """Turn a package that this Python lacks, or has in part, into a Refusal. A module of ours that is not there passes
    as it is: that is a fault of ours.
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package in _OURS:
            raise
        if Path(sys.prefix).resolve() == (ROOT / ".venv").resolve():
            raise Refusal(f"{package} is missing from {sys.prefix}; run `make clean`, then `make run`.") from error
        raise Refusal(
            f"{package} is not installed for {sys.executable}; use .venv/bin/python, which `make run` makes, "
            "or install requirements.txt."
        ) from error


@contextmanager
def plain_words() -> Iterator[None]:
    """Turn a refusal, wrong settings or a missing package inside the block into their lines, not a traceback."""
    try:
        with packages_in_words():
            yield
    except ConfigurationError as error:
        leave(EX_CONFIG, *error.problems)
    except Refusal as error:
        leave(EX_REFUSED, str(error))
    except KeyboardInterrupt:
        leave(EX_REFUSED, "stopped before it served; the next run goes on from here.")
