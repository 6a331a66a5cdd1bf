"""Where log lines go beside a stream: into files of a folder, and on a laptop only what would stand on a terminal.

A person at a terminal reads what the product says to people, without JSON between it. A stream that leads to a file or
another program is read by no person, and gets the lines as it does on servers. It owns no line's form.
"""

import logging
import sys
from pathlib import Path

from monitoring.logs import LOG, SECURITY, LineFile, LineHandler

# Of the ground's loggers, those that tell of no person's act.
_NOT_SECURITY = frozenset({"security.errors", "security.outbox"})


class FileLines(LineHandler):
    """Appends to `koshflow.log` in `folder`, and lines of the security log to `security.log`; both are put aside when
    they are large. Where that cannot be done, because there is no folder or no room, the stream gets the line.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._files: dict[str, LineFile] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self._keep(record)

    def _keep(self, record: logging.LogRecord) -> str:
        """Write it; the name of the file that has it, "" where the stream got it."""
        name = SECURITY if record.name.startswith("security.") and record.name not in _NOT_SECURITY else LOG
        try:
            self._file(name).write(f"{self.format(record)}\n")
        except OSError:
            LineHandler.emit(self, record)
            return ""
        return f"{name}.log"

    def close(self) -> None:
        """Called by logging when the process ends."""
        for file in self._files.values():
            file.close()
        super().close()

    def _file(self, name: str) -> LineFile:
        file = self._files.get(name)
        if file is None:
            # Not its parents: a data folder that is not there yet is made by who starts the product, with its mode.
            self._folder.mkdir(mode=0o700, exist_ok=True)
            file = self._files[name] = LineFile(self._folder / f"{name}.log")
        return file


class LaptopLines(FileLines):
    """As that, for lines that would stand on a terminal; of warnings and errors it still learns the name."""

    def emit(self, record: logging.LogRecord) -> None:
        """Also of what happens while nobody reads the file: a failing server must not look like a quiet one."""
        if not self.stream.isatty():
            LineHandler.emit(self, record)
            return
        name = self._keep(record)
        if name and record.levelno >= logging.WARNING:
            # Other texts are not ours, and may hold what only the formatter takes out.
            event = record.msg if isinstance(record.msg, str) and record.msg.isidentifier() else record.name
            sys.stderr.write(f"{record.levelname.lower()}: {event}, see {self._folder / name}\n")
