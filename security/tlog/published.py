"""Compares the database's checkpoints with the signer's file of all that it signed: one that was taken out is in there.

The file is believed as its folder is. A crash may have kept one out of it, or cut its last line off.
"""

from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path

from django.db.models import Min

from security.tlog.findings import Kind, Report
from security.tlog.models import AuditCheckpoint, AuditLog
from security.tlog.note import Checkpoint, NoteInvalid
from security.tlog.signer import PUBLISHED

_BATCH = 500
_LONGEST_SIZE = 20  # digits of 2**63, and the line's end


def check_published(report: Report, folder: Path) -> None:
    """Find each checkpoint of the file in `folder`, of those that `report` is about, in the database."""
    epochs = {log.origin: log.epoch for log in AuditLog.objects.all()}
    later = AuditLog.objects.filter(epoch__gt=1).annotate(first=Min("checkpoints__size"))
    begun = [(log.epoch, log.first) for log in later if log.first is not None]
    try:
        checkpoints = _checkpoints(folder / PUBLISHED, since=report.since, end=report.size)
        while batch := list(islice(checkpoints, _BATCH)):
            rows = AuditCheckpoint.objects.select_related("log").in_bulk([one.size for one in batch])
            for one in batch:
                row, epoch = rows.get(one.size), epochs.get(one.origin)
                if epoch is None:
                    continue  # of an epoch that an older database lost, or a name that a full disk has spoilt
                if (row is None or row.as_checkpoint() != one) and not _is_lost(one.size, epoch, begun):
                    what = f"checkpoint {one.size} of {one.origin} was signed, and the database has it no more"
                    report.fault(Kind.CHECKPOINT, what, index=one.size)
    except OSError as error:
        report.not_verified.append(f"{folder / PUBLISHED}: {error.strerror}")


def _checkpoints(path: Path, *, since: int, end: int) -> Iterator[Checkpoint]:
    """Those of sizes above `since` up to `end`: each three lines, an empty one, its signature, an empty one."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for is_text, lines in groupby(file, key=lambda line: line != "\n"):
            block = list(lines) if is_text else []
            if len(block) == 3 and _is_size(block[1]) and since < int(block[1]) <= end:
                try:
                    yield Checkpoint.parse("".join(block))
                except NoteInvalid:
                    continue


def _is_size(line: str) -> bool:
    return len(line) <= _LONGEST_SIZE and line.strip().isdecimal()


def _is_lost(size: int, epoch: int, begun: list[tuple[int, int]]) -> bool:
    """Whether an older database lost it: a later epoch began below it."""
    return any(later > epoch and first <= size for later, first in begun)
