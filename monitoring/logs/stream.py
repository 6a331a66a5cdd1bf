"""Which stream takes the log lines of this process, and what nobody caught among them. What a line looks like is
`formatter.py`.
"""

import logging
import sys
import threading
from types import TracebackType
from typing import TextIO

logger = logging.getLogger("koshflow.process")


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
    """Say that this process serves, or works for those that do: its standard output is the log from here on.

    Also of what nobody caught: Python would write it on many lines, with what a driver quotes.
    """
    LineHandler.is_serving = True
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    # Before there is a log, as after Ctrl+C, it is for who sits there.
    if issubclass(kind, Exception) and logging.getLogger().handlers:
        logger.critical("failure_uncaught", exc_info=(kind, error, traceback))
    elif not issubclass(kind, SystemExit):  # a thread's own end
        sys.__excepthook__(kind, error, traceback)


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:  # it is None only while the interpreter ends
        _uncaught(told.exc_type, told.exc_value, told.exc_traceback)
