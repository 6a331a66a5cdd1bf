"""Where log lines go on a laptop: to a file of the data folder instead of a terminal. It owns no line's form.

A person at a terminal reads what the product says to people, without JSON between it. A stream that leads to a file or
another program is read by no person, and gets the lines as it does on servers.
"""

import logging
import sys
from pathlib import Path
from typing import TextIO

from monitoring.logs import LineHandler

# Looked at by each process when it opens the file. The one before is kept.
MOST_BYTES = 10_000_000


class LaptopLines(LineHandler):
    """Appends to `path` what would stand on a terminal; of warnings and errors the terminal still learns the name.

    Where the file cannot be had, because there is no data folder yet or no room, the terminal gets the lines.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: TextIO | None = None

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        usual = super().stream
        if not usual.isatty():
            return usual
        if self._file is None:
            self._file = _opened(self._path)
        return self._file or usual

    def emit(self, record: logging.LogRecord) -> None:
        """Also of what happens while nobody reads the file: a failing server must not look like a quiet one."""
        super().emit(record)
        if self._file is not None and record.levelno >= logging.WARNING:
            # Other texts are not ours, and may hold what only the formatter takes out.
            event = record.msg if isinstance(record.msg, str) and record.msg.isidentifier() else record.name
            sys.stderr.write(f"{record.levelname.lower()}: {event}, see {self._path}\n")

    def close(self) -> None:
        """Called by logging when the process ends."""
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()


def _opened(path: Path) -> TextIO | None:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.replace(path.with_suffix(".before"))
        # Appending: server, worker and commands write to one file, each line whole.
        path.touch(mode=0o600)
        return path.open("a", encoding="ascii")
    except OSError:
        return None
