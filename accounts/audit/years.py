"""The events of one Indian financial year as CSV or JSON lines, with the checkpoint that seals them. Streams."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.audit.labels import Label, labels_of, pseudonyms_in, with_names
from security.audit import AuditEvent, LeafRefused, Wanted, walk
from security.tlog import AuditCheckpoint

INDIA = ZoneInfo("Asia/Kolkata")
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "checkpoint": "text/plain; charset=utf-8"}
COLUMNS = (
    "index", "time", "class", "action", "outcome", "actor", "target", "company", "session", "request id", "data", "hash"
)  # fmt: skip
# A spreadsheet runs a cell that begins so as a formula (OWASP, CSV injection).
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
CHANGED = "NOT AN EVENT OF THIS LOG: it was changed"
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class FinancialYear:
    """From 1 April of `start` up to 31 March of the year after, in India."""

    start: int

    @classmethod
    def of(cls, moment: datetime) -> "FinancialYear":
        """The one in which `moment` lies."""
        there = moment.astimezone(INDIA)
        return cls(there.year if there.month >= 4 else there.year - 1)

    def __str__(self) -> str:
        return f"{self.start}-{(self.start + 1) % 100:02d}"

    def wanted(self) -> Wanted:
        """The search for its events. ValueError for a year that no calendar of ours has."""
        ends = (datetime(year, 4, 1, tzinfo=INDIA).astimezone(UTC) for year in (self.start, self.start + 1))
        return Wanted(since=next(ends), until=next(ends))


def lines(year: FinancialYear, *, form: str, checkpoint: AuditCheckpoint) -> Iterator[bytes]:
    """The sealed events of `year` under `checkpoint`, the oldest first; `form` is one of FORMATS."""
    if form == "checkpoint":
        return iter([checkpoint.note.encode()])
    events = walk(year.wanted(), end=checkpoint.size)
    return _csv(events) if form == "csv" else _json_lines(events, year=year, checkpoint=checkpoint)


def cell(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula: with an apostrophe before what begins one."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _csv(events: Iterator[AuditEvent]) -> Iterator[bytes]:
    """Names in place of pseudonyms, which never stand beside one another."""
    yield b"\xef\xbb\xbf" + _row(COLUMNS)  # spreadsheets take UTF-8 for something else without the mark
    while chunk := list(islice(events, _CHUNK)):
        told = [_data(event) for event in chunk]
        named = {who for event in chunk for who in (event.actor, event.target, event.company)}
        labels = labels_of(named.union(*map(pseudonyms_in, told)))
        yield b"".join(_row(_cells(event, data, labels)) for event, data in zip(chunk, told, strict=True))


def _cells(event: AuditEvent, data: Any, labels: Mapping[UUID, Label]) -> tuple[str, ...]:
    return (
        str(event.tree_index),
        event.occurred_at.astimezone(INDIA).isoformat(timespec="milliseconds"),
        event.audit_class,
        event.type,
        event.outcome,
        *(labels[who].text if who else "" for who in (event.actor, event.target, event.company)),
        event.session_id or "",
        event.request_id,
        json.dumps(with_names(data, labels), ensure_ascii=False) if data is not None else CHANGED,
        bytes(event.leaf_hash).hex(),
    )


def _row(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([cell(text) for text in cells])
    return out.getvalue().encode()


def _data(event: AuditEvent) -> Any:
    try:
        return event.parsed_leaf().data
    except LeafRefused:
        return None


def _json_lines(events: Iterator[AuditEvent], *, year: FinancialYear, checkpoint: AuditCheckpoint) -> Iterator[bytes]:
    """Each event byte for byte as the log has it; first what seals them, last how many they are."""
    head = {"year": str(year), "key": checkpoint.log.verifier_key, "checkpoint": checkpoint.note}
    yield json.dumps(head, ensure_ascii=False).encode() + b"\n"
    count = 0
    while chunk := list(islice(events, _CHUNK)):
        count += len(chunk)
        yield b"".join(b'{"index":%d,"event":%s}\n' % (event.tree_index or 0, bytes(event.leaf)) for event in chunk)
    yield b'{"events":%d}\n' % count
