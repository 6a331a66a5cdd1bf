"""How our processes say no: one line a reason, what to do about it, and a code that is not 0."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from koshflow.env import ConfigurationError

EX_REFUSED = 1
EX_CONFIG = 78  # sysexits.h: what is set is wrong; starting again will not help


class Refusal(Exception):  # noqa: N818 - it becomes the line that the operator reads
    """Why this cannot run, and what to do about it."""


def leave(code: int, *sentences: str) -> NoReturn:
    """End this process with `code` and `sentences` on standard error, one a line."""
    for sentence in sentences:
        sys.stderr.write(f"koshflow: {sentence}\n")
    sys.stderr.flush()
    sys.exit(code)


@contextmanager
def plain_words() -> Iterator[None]:
    """Turn a refusal or wrong settings inside the block into their lines instead of a traceback."""
    try:
        yield
    except ConfigurationError as error:
        leave(EX_CONFIG, *error.problems)
    except Refusal as error:
        leave(EX_REFUSED, str(error))
    except KeyboardInterrupt:
        leave(EX_REFUSED, "stopped before it served; the next run goes on from here.")
