"""The events of one Indian financial year as CSV or JSON lines, with the checkpoint that seals them. Streams."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
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
# A spreadsheet runs a cell that begins so as a formula (OWASP, CSV injection); in East Asia also by the wide forms.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_YEAR = re.compile(r"([0-9]{4})-([0-9]{2})")
_FIRST_YEAR = 2000  # India's Information Technology Act: no older record of ours can be
CHANGED = "NOT AN EVENT OF THIS LOG: it was changed"
CHUNK = 1_000
BEGINNING = b"\xef\xbb\xbf"  # spreadsheets take UTF-8 for something else without the mark


@dataclass(frozen=True, slots=True)
class FinancialYear:
    """From 1 April of `start` up to 31 March of the year after, in India."""

    start: int

    @classmethod
    def of(cls, moment: datetime) -> "FinancialYear":
        """The one in which `moment` lies."""
        there = moment.astimezone(INDIA)
        return cls(there.year if there.month >= 4 else there.year - 1)

    @classmethod
    def parse(cls, text: str) -> "FinancialYear":
        """The one that is written "2026-27". Raises ValueError."""
        written = _YEAR.fullmatch(text)
        is_year = written is not None and _FIRST_YEAR <= int(written[1]) < 9999
        if written is None or not is_year or (int(written[1]) + 1) % 100 != int(written[2]):
            raise ValueError(f"a financial year is written as 2026-27, and begins in {_FIRST_YEAR} or later")
        return cls(int(written[1]))

    def __str__(self) -> str:
        return f"{self.start}-{(self.start + 1) % 100:02d}"

    @property
    def since(self) -> datetime:
        """Its first moment. ValueError for a year that no calendar of ours has."""
        return datetime(self.start, 4, 1, tzinfo=INDIA).astimezone(UTC)

    @property
    def until(self) -> datetime:
        """The first moment after it. ValueError likewise."""
        return FinancialYear(self.start + 1).since

    def wanted(self) -> Wanted:
        """The search for its events. ValueError likewise."""
        return Wanted(since=self.since, until=self.until)


def lines(year: FinancialYear, *, form: str, checkpoint: AuditCheckpoint) -> Iterator[bytes]:
    """The sealed events of `year` under `checkpoint`, the oldest first, as "csv" or "jsonl"."""
    events = walk(year.wanted(), end=checkpoint.size)
    return csv_lines(events) if form == "csv" else json_lines(events, about={"year": str(year)}, checkpoint=checkpoint)


def cell(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula: with an apostrophe before what begins one."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def csv_lines(events: Iterator[AuditEvent], *, is_named: bool = True) -> Iterator[bytes]:
    """A line for each event, after one of COLUMNS; with names in place of pseudonyms, which never stand beside them."""
    yield BEGINNING + row(COLUMNS)
    while chunk := list(islice(events, CHUNK)):
        told = [data_of(event) for event in chunk]
        labels = None
        if is_named:
            named = {who for event in chunk for who in (event.actor, event.target, event.company)}
            labels = labels_of(named.union(*map(pseudonyms_in, told)))
        yield b"".join(row(_cells(event, data, labels)) for event, data in zip(chunk, told, strict=True))


def _cells(event: AuditEvent, data: Any, labels: Mapping[UUID, Label] | None) -> tuple[str, ...]:
    data = data if labels is None else with_names(data, labels)
    return (
        str(event.tree_index),
        in_india(event.occurred_at),
        event.audit_class,
        event.type,
        event.outcome,
        *(_who(who, labels) for who in (event.actor, event.target, event.company)),
        event.session_id or "",
        event.request_id,
        json.dumps(data, ensure_ascii=False) if data is not None else CHANGED,
        bytes(event.leaf_hash).hex(),
    )


def _who(who: UUID | None, labels: Mapping[UUID, Label] | None) -> str:
    if who is None:
        return ""
    return str(who) if labels is None else labels[who].text


def in_india(moment: datetime) -> str:
    """`moment` as a column of times has it."""
    return moment.astimezone(INDIA).isoformat(timespec="milliseconds")


def row(cells: Iterable[str]) -> bytes:
    """A line of a spreadsheet."""
    out = io.StringIO()
    csv.writer(out).writerow([cell(text) for text in cells])
    return out.getvalue().encode()


def data_of(event: AuditEvent) -> Any:
    """The open part of an event; None where its bytes are no event any more."""
    try:
        return event.parsed_leaf().data
    except LeafRefused:
        return None


def json_lines(
    events: Iterator[AuditEvent], *, about: Mapping[str, Any], checkpoint: AuditCheckpoint
) -> Iterator[bytes]:
    """Each event byte for byte as the log has it; first `about` and what seals them, last how many they are."""
    head = {**about, "key": checkpoint.log.verifier_key, "checkpoint": checkpoint.note}
    yield json.dumps(head, ensure_ascii=False).encode() + b"\n"
    count = 0
    while chunk := list(islice(events, CHUNK)):
        count += len(chunk)
        yield b"".join(
            b'{"index":%d,"hash":"%s","event":%s}\n'
            % (event.tree_index or 0, bytes(event.leaf_hash).hex().encode(), bytes(event.leaf))
            for event in chunk
        )
    yield b'{"events":%d}\n' % count
