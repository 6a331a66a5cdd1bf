"""Checks that the personal values kept beside the log are those that its leaves commit to, and none was taken away."""

import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from security.audit import (
    ADDRESS_FIELD,
    ERASURES,
    AuditEvent,
    AuditPii,
    Leaf,
    LeafRefused,
    MarkWrong,
    address_indexes,
    check_mark,
    proved,
)
from security.audit.leaf import leaf_hash
from security.crypto import DecryptionFailed, KeyDestroyed, SubjectKey, keyring
from security.statements import Parameter, Select
from security.tlog.findings import Kind, Report
from security.tlog.pruned import leaf_hashes

_REMEMBERED = 5_000
# How much younger than an erasure an event may be whose value went with it: both transactions were open.
_UNDER_WAY = timedelta(minutes=10)
_READ = ("event_id", "field", "subject", "ciphertext")
_WIDEST = 100_000  # ids from the first to the last event of a chunk
_EVENT = AuditPii._meta.get_field("event")
_of_events = Select(
    lambda: AuditPii.objects.filter(
        event__gte=Parameter("first", _EVENT), event__lte=Parameter("last", _EVENT)
    ).values_list(*_READ)
)


@dataclass(frozen=True, slots=True)
class Committed:
    """An event of the tree: its row id, its place, its searchable address, what its leaf says."""

    pk: int
    index: int
    address_index: bytes | None
    told: Mapping[str, Any]


class Openings:
    """Keeps the keys of people it has met, and what addresses are found by, since most events of a chunk are of few."""

    def __init__(self) -> None:
        self._subjects: dict[Any, SubjectKey] = {}
        self._found_by: dict[bytes, list[bytes]] = {}
        self._values: dict[int, list[tuple[str, SubjectKey | None, bytes]]] = {}
        self._gone: list[tuple[Committed, str]] = []
        self._erasures = Erasures()

    def read(self, events: Collection[int]) -> None:
        """Read the values that are kept beside these events, by their row ids. After the events were read."""
        self._values.clear()
        if not events:
            return
        first, last = min(events), max(events)
        if last - first < _WIDEST:
            rows = _of_events.all(first=first, last=last)
        else:  # a row id that somebody moved must not have the whole table read
            rows = list(AuditPii.objects.filter(event__in=events).values_list(*_READ))
        self._remember({subject for _, _, subject, _ in rows})
        for pk, name, subject, cell in rows:
            self._values.setdefault(pk, []).append((name, self._subjects.get(subject), cell))

    def check(self, report: Report, event: Committed) -> None:
        """Compare the values of one event with what it commits to; what is not there, `check_gone` tells."""
        committed = event.told["pii"]
        kept = self._values.get(event.pk, ())
        met = {name for name, subject, cell in kept if self._opens(report, event, name, subject, cell)}
        if met != committed.keys():
            self._gone += [(event, name) for name in committed.keys() - met]
        if event.address_index is not None and ADDRESS_FIELD not in committed:
            what = f"event {event.told['id']} is found by an address, and has none"
            report.fault(Kind.COLUMN, what, index=event.index)

    def check_gone(self, report: Report) -> None:
        """Of values that are not there, an erasure took each, as the log says, and what an address was found by."""
        gone, self._gone = self._unexplained(self._gone), []
        if not gone:
            return
        # Asked after the values were read: what an erasure or a pruning took meanwhile is told by what is read here.
        self._erasures.learn({event.told[who] for event, _ in gone for who in ("actor", "target")} - {None})
        events = AuditEvent.objects.filter(pk__in={event.pk for event, _ in gone})
        there = dict(events.values_list("pk", "address_index"))
        for event, name in self._unexplained(gone):
            if event.pk not in there:
                continue
            if not self._erasures.took(name, event.told):
                what = f"{name} of event {event.told['id']} is gone, and nobody was erased whose it was"
                report.fault(Kind.PERSONAL_GONE, what, index=event.index)
            elif there[event.pk] is not None:
                what = f"event {event.told['id']} is found by an address that was erased"
                report.fault(Kind.COLUMN, what, index=event.index)

    def _unexplained(self, gone: list[tuple[Committed, str]]) -> list[tuple[Committed, str]]:
        took = self._erasures.took
        return [
            (event, name)
            for event, name in gone
            if not took(name, event.told)
            # Written while the erasure was: it did not see this one, and the next takes it.
            or (name == ADDRESS_FIELD and event.address_index and not took(name, event.told, is_beside=True))
        ]

    def _remember(self, wanted: set[Any]) -> None:
        if len(self._subjects) > _REMEMBERED:
            self._subjects.clear()
        if unknown := wanted - self._subjects.keys():
            self._subjects |= SubjectKey.objects.in_bulk(unknown)

    def _opens(self, report: Report, event: Committed, name: str, subject: SubjectKey | None, cell: bytes) -> bool:
        """False where its key was destroyed, whoever's it is; a value that is wrong is a fault."""
        told = event.told
        if name not in told["pii"]:
            report.fault(Kind.PERSONAL, f"event {told['id']} does not commit to any {name}", index=event.index)
            return True
        try:
            _, value = proved(cell, field=name, event_id=told["id"], subject=subject, committed=told["pii"][name])
        except KeyDestroyed:
            return False
        except (DecryptionFailed, LookupError, ValueError):
            what = f"{name} of event {told['id']} is not the value that its leaf commits to"
            report.fault(Kind.PERSONAL, what, index=event.index)
            return True
        if name == ADDRESS_FIELD and not self._is_found_by(value, event.address_index):
            what = f"event {told['id']} is not found by the address of its client"
            report.fault(Kind.COLUMN, what, index=event.index)
        return True

    def _is_found_by(self, address: bytes, index: bytes | None) -> bool:
        """`address` as canonical JSON."""
        if address not in self._found_by:
            if len(self._found_by) > _REMEMBERED:
                self._found_by.clear()
            self._found_by[address] = address_indexes(json.loads(address))
        return index in self._found_by[address]


class Erasures:
    """Whom the log says to be erased, and when last.

    That a key is gone says nothing: whoever owns the table can take it, as they can take the values.
    """

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}

    def took(self, name: str, told: Mapping[str, Any], *, is_beside: bool = False) -> bool:
        """Whether the value `name` of an event went with who held it, or with the person whom it is about.

        `is_beside` asks whether it may have been written at the same time.
        """
        holder = told["actor"] or told["target"]
        people = {holder} if name == ADDRESS_FIELD else {holder, told["target"]}
        at = datetime.fromisoformat(told["ts"])
        erased = [self._at[who] for who in people if who in self._at]
        return any(at - _UNDER_WAY <= one and (not is_beside or one <= at + _UNDER_WAY) for one in erased)

    def learn(self, people: set[str]) -> None:
        """Look what the log tells of `people` by now."""
        if len(self._at) > _REMEMBERED:
            self._at.clear()
        types = [action.type for action in ERASURES]
        events = AuditEvent.objects.filter(target__in=people, type__in=types)
        for event in events.order_by("id").iterator(chunk_size=500):
            leaf = _as_recorded(event)
            # Under a hold the key stays, and all that it opens; another event tells when it went.
            if leaf is not None and leaf.type in types and "kept_under" not in leaf.data:
                self._at[str(leaf.target)] = leaf.occurred_at


def _as_recorded(event: AuditEvent) -> Leaf | None:
    """What `event` says if it is the one that the tree has at its place, or waits under a mark of ours; else None."""
    try:
        if event.tree_index is None:
            check_mark(event, keyring())
        else:
            [in_tree] = leaf_hashes(event.tree_index, event.tree_index + 1)
            if not hmac.compare_digest(leaf_hash(bytes(event.leaf)), in_tree):
                return None
        return event.parsed_leaf()
    except (LeafRefused, MarkWrong):
        return None
