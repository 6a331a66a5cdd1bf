"""Deletes log files that were put aside, oldest first, by age and by size; those of the security log past a floor."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import transaction

from monitoring.logs.files import LOG, SECURITY
from security.audit import Action, AuditClass, record

# It holds the second copy of every audit event, by which a deleted one is missed: a year, as of sign-ins themselves.
SECURITY_FLOOR_DAYS = AuditClass.AUTH.retention_days
# The directions of CERT-In (28 April 2022, iv) ask for all logs of 180 days.
FLOOR_DAYS = 180
_ASIDE = re.compile(rf"({LOG}|{SECURITY})-(\d{{8}}T\d{{6}})\d{{9}}\.log")


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file that was put aside. `is_security` decides its floor; `ended_at` is when the last line went into it."""

    path: Path
    is_security: bool
    ended_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """What goes, and how much of the rest is kept by its floor alone though there is too much of it."""

    going: tuple[LogFile, ...]
    kept_by_floor_bytes: int

    @property
    def size_bytes(self) -> int:
        """Of what goes."""
        return sum(file.size_bytes for file in self.going)


def plan_pruning(folder: Path, *, days: int, most_bytes: int | None, now: datetime) -> Pruning:
    """Which files go: those older than `days`, and then the oldest until the rest takes at most `most_bytes`.

    None is younger than its floor, whatever is asked for. A file that is being written is never among them.
    """
    files = _files(folder)
    may_go = [file for file in files if now - file.ended_at > timedelta(days=_floor(file))]
    going = [file for file in may_go if now - file.ended_at > timedelta(days=days)]
    left = sum(file.size_bytes for file in files) - sum(file.size_bytes for file in going)
    if most_bytes is not None:
        for file in may_go:
            if left > most_bytes and file not in going:
                going.append(file)
                left -= file.size_bytes
    over = 0 if most_bytes is None else max(0, left - most_bytes)
    return Pruning(tuple(going), over)


def prune(pruning: Pruning, *, operator: str) -> None:
    """Delete what goes, and tell of it. The event stands first: files that go without one would be a gap nobody
    explains. Raises DatabaseError, and then nothing is deleted; OSError for the first that may not be.
    """
    with transaction.atomic(durable=True):
        record(
            Action.LOGS_PRUNED,
            data={
                "operator": operator,
                "files": len(pruning.going),
                "security": sum(file.is_security for file in pruning.going),
                "bytes": pruning.size_bytes,
                "until": max(file.ended_at for file in pruning.going).isoformat(),
            },
        )
    for file in pruning.going:
        file.path.unlink(missing_ok=True)


def _floor(file: LogFile) -> int:
    return SECURITY_FLOOR_DAYS if file.is_security else FLOOR_DAYS


def _files(folder: Path) -> Sequence[LogFile]:
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if (match := _ASIDE.fullmatch(path.name)) and path.is_file():
            ended = datetime.strptime(match[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            found.append(LogFile(path, match[1] == SECURITY, ended, path.stat().st_size))
    return sorted(found, key=lambda file: file.ended_at)
