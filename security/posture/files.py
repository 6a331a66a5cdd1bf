"""Modes of the files that hold secrets: the data folder, the keys in it, `.env`, and files named by `NAME_FILE`."""

import os
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from security.posture.registry import Fault, Severity, finding

_OTHERS_AND_GROUP = 0o077
# A service manager may hand a secret to the service's group; nobody beyond it may read, and only the owner write.
_OTHERS_OR_WRITABLE = 0o027
_KEY_FILES = ("secret_key", "keyring.json", "keyring.json.before")  # the last is keys_rotate's backup
# Paths, not secrets: the settings have read the values and forgotten where they lay.
_NAMED_FILES = tuple(
    f"{name}_FILE" for name in ("SECRET_KEY", "KEYRING", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "OPERATOR_TOKEN")
)


def _open_mode(path: Path, *, forbidden: int) -> str:
    """The mode of `path` in octal where it grants something of `forbidden`, else "". No file has no mode."""
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        return ""
    return f"{mode:04o}" if mode & forbidden else ""


@finding(
    "KF.S030",
    severity=Severity.HIGH,
    title="The data folder is open to other accounts",
    why="Database, keys and outgoing mail lie in it.",
    remedy="chmod 700 the folder named by KOSHFLOW_DATA_DIR.",
)
def data_folder_is_open() -> Iterable[Fault]:
    if mode := _open_mode(settings.DATA_DIR, forbidden=_OTHERS_AND_GROUP):
        yield Fault("KOSHFLOW_DATA_DIR", f"the data folder has mode {mode}")


@finding(
    "KF.S031",
    severity=Severity.HIGH,
    title="A file of keys is open to other accounts",
    why="Whoever reads it makes sessions and tokens, and opens what is sealed.",
    remedy="chmod 600 the file (0440 where a service manager hands it out), and replace what was in it.",
)
def key_files_are_open() -> Iterable[Fault]:
    for name in _KEY_FILES:
        if mode := _open_mode(settings.DATA_DIR / name, forbidden=_OTHERS_AND_GROUP):
            yield Fault(name, f"{name} in the data folder has mode {mode}")
    for name in _NAMED_FILES:
        path = os.environ.get(name)
        if path and (mode := _open_mode(Path(path), forbidden=_OTHERS_OR_WRITABLE)):
            yield Fault(name, f"the file named by {name} has mode {mode}")


@finding(
    "KF.S032",
    severity=Severity.HIGH,
    title="The settings file is open to other accounts",
    why="Passwords of stores and relay stand in it.",
    remedy="chmod 600 .env",
)
def settings_file_is_open() -> Iterable[Fault]:
    if mode := _open_mode(settings.BASE_DIR / ".env", forbidden=_OTHERS_AND_GROUP):
        yield Fault(".env", f".env has mode {mode}")
