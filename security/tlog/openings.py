"""Checks that the personal values kept beside the log are those that its leaves commit to."""

from collections.abc import Sequence
from typing import Any

from security.audit import AuditPii, proved
from security.audit.leaf import Leaf
from security.crypto import DecryptionFailed, KeyDestroyed, SubjectKey
from security.tlog.findings import Kind, Report


class Openings:
    """Keeps the keys of people it has met, since most events of a chunk are of few."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._subjects: dict[Any, SubjectKey] = {}

    def check(self, events: Sequence[tuple[int, int, Leaf]]) -> None:
        """`events` are (row id, index in the tree, leaf). A value erased with its key is gone, and nothing is wrong."""
        leaves = {row_id: (index, leaf) for row_id, index, leaf in events if leaf.pii}
        rows = list(AuditPii.objects.filter(event__gte=min(leaves), event__lte=max(leaves))) if leaves else []
        unknown = {row.subject for row in rows} - self._subjects.keys()
        if len(self._subjects) > _REMEMBERED:
            self._subjects.clear()
            unknown = {row.subject for row in rows}
        self._subjects |= SubjectKey.objects.in_bulk(unknown)
        for row in rows:
            index, leaf = leaves.get(row.event_id, (0, None))
            if leaf is None:
                continue
            try:
                proved(row, event_id=leaf.id, commitments=leaf.pii, subjects=self._subjects)
            except KeyDestroyed:
                continue
            except (DecryptionFailed, LookupError, ValueError):
                what = f"{row.field} of event {leaf.id} is not the value that its leaf commits to"
                self.report.fault(Kind.PERSONAL, what, index=index)


_REMEMBERED = 5_000
