"""Checks that the personal values kept beside the log are those that its leaves commit to."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from security.audit import AuditPii, proved
from security.crypto import DecryptionFailed, KeyDestroyed, SubjectKey
from security.tlog.findings import Kind, Report


class Openings:
    """Keeps the keys of people it has met, since most events of a chunk are of few."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._subjects: dict[Any, SubjectKey] = {}

    def check(self, committed: Mapping[int, tuple[int, UUID, Mapping[str, str]]]) -> None:
        """`committed` maps an event's row id to its index, its id and what its leaf commits to.

        A value that was erased with its key is gone, and nothing is wrong.
        """
        if not committed:
            return
        rows = list(AuditPii.objects.filter(event__gte=min(committed), event__lte=max(committed)))
        unknown = {row.subject for row in rows} - self._subjects.keys()
        if len(self._subjects) > _REMEMBERED:
            self._subjects.clear()
            unknown = {row.subject for row in rows}
        if unknown:
            self._subjects |= SubjectKey.objects.in_bulk(unknown)
        for row in rows:
            if row.event_id not in committed:
                continue
            index, event_id, commitments = committed[row.event_id]
            try:
                proved(row, event_id=event_id, commitments=commitments, subjects=self._subjects)
            except KeyDestroyed:
                continue
            except (DecryptionFailed, LookupError, ValueError):
                what = f"{row.field} of event {event_id} is not the value that its leaf commits to"
                self.report.fault(Kind.PERSONAL, what, index=index)


_REMEMBERED = 5_000
