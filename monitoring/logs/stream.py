"""Which stream takes the log lines of this process. What a line looks like is `formatter.py`."""

import logging
import sys
from typing import TextIO


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes to standard output in a process that serves, else to standard error.

    What a command prints is for the person who ran it, or for the next program of a pipe; lines of the log and of
    the audit trail's second copy must not bury it. Both streams reach whoever collects the log.
    """

    is_serving = False

    def __init__(self) -> None:
        logging.Handler.__init__(self)  # the stream is looked up at each line, never kept

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout if self.is_serving else sys.stderr


def begin_serving() -> None:
    """Say that this process serves, or works for those that do: its standard output is the log from here on."""
    LineHandler.is_serving = True
