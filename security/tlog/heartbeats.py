"""Shows that the log was there all the while: an event every quarter of an hour, in the tree like any other.

Who stops the log leaves a gap between two of them, and cannot fill it later: an event sealed later says so by its
place. Who calls for a person when one is missing is not here.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from security.audit import Action, AuditEvent, LeafRefused, Wanted, find, record, walk
from security.tlog.store import hold_heartbeat, last_signed
from security.trail import trigger_count, triggers_not_in_place

logger = logging.getLogger("security.tlog")

# 35,040 leaves a year: 1.1 MB of hashes and some 20 MB of events. A tenth of it would hide an outage of an hour in a
# gap that counts as none; ten times as many would say no more, since the seals between them show what was recorded.
INTERVAL = timedelta(minutes=15)
# One slot may be missed (a restart, a deployment) and says nothing; beyond that somebody should explain. The minute is
# the schedule's: one that is a moment later in its slot than the one two slots before must not make a gap of it.
LONGEST_SILENCE = 2 * INTERVAL + timedelta(minutes=1)
_MOST_NAMED = 20  # of the triggers that are missing: a leaf is short


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What one heartbeat says: triggers that should be there and that were, the tree, when it was last signed."""

    index: int | None
    at: datetime
    node: str
    expected: int
    found: int
    missing: tuple[str, ...]
    size: int
    signed_at: str
    leaf_hash: bytes

    @property
    def is_short(self) -> bool:
        """Whether a trigger was missing then: what was written past our services may not have been noted."""
        return self.found < self.expected


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a heartbeat, longer than LONGEST_SILENCE."""

    begin: datetime
    end: datetime


def beat() -> None:
    """Record this slot's heartbeat, once on any number of hosts, and however often it is called.

    Raises DatabaseError, which the schedule logs; the slot is then made up for as long as it lasts.
    """
    with transaction.atomic(durable=True):
        # Who does not get it need not wait: another host is writing the one that is due.
        if not hold_heartbeat():
            return
        now = timezone.now()
        last = AuditEvent.objects.filter(type=Action.AUDIT_HEARTBEAT.type).order_by("-id").first()
        if last is not None and last.occurred_at >= _slot(now):
            return
        missing, signed = triggers_not_in_place(), last_signed()
        triggers: dict[str, Any] = {"expected": trigger_count(), "missing": missing[:_MOST_NAMED]}
        triggers["found"] = triggers["expected"] - len(missing)
        told = {
            "triggers": triggers,
            "size": signed.size if signed else 0,
            "signed": signed.created_at.astimezone(UTC).isoformat(timespec="seconds") if signed else "",
        }
        record(Action.AUDIT_HEARTBEAT, data=told)
    if missing:
        logger.error("audit_heartbeat_short", extra={"triggers": missing})


def heartbeats(*, since: datetime, until: datetime | None, end: int | None = None) -> Iterator[Heartbeat]:
    """Those from `since` on and before `until`, the oldest first, read in chunks; with `end` only those below it.

    One that cannot be read any more is left out, and so makes a gap: `audit_verify` says what was done to it.
    """
    for event in walk(Wanted(type=Action.AUDIT_HEARTBEAT.type, since=since, until=until), end=end):
        if (one := _read(event)) is not None:
            yield one


def gaps_between(
    *, since: datetime, until: datetime, end: int | None = None, known_to: datetime | None = None
) -> Iterator[Gap]:
    """Each time in which no heartbeat was recorded for too long and of which a part lies from `since` up to `until`.

    In order, and whole: one over the border of two years is told of in either, as in neither half it may be too long.
    Where none came after `until`, it lasts until `known_to`, up to when the caller knows of all there were.
    """
    earlier = map(_read, find(Wanted(type=Action.AUDIT_HEARTBEAT.type, until=since), size=1).events)
    later = heartbeats(since=until, until=None, end=end)
    begin = next((one.at for one in earlier if one), since)
    stop = next((one.at for one in later), max(until, known_to or until))
    return gaps((one.at for one in heartbeats(since=since, until=until, end=end)), since=begin, until=stop)


def gaps(moments: Iterable[datetime], *, since: datetime, until: datetime) -> Iterator[Gap]:
    """The gaps between `moments`, and before the first and after the last of them."""
    last = since
    for moment in moments:
        if moment - last > LONGEST_SILENCE:
            yield Gap(last, moment)
        last = max(last, moment)  # clocks of hosts differ
    if until - last > LONGEST_SILENCE:
        yield Gap(last, until)


def longest_gap(until: datetime, *, within: timedelta) -> timedelta:
    """The longest gap that lasts at `until` or ended at most `within` before it; 0 where there is none.

    It may have begun earlier. A log without any heartbeat is a gap since its first event.
    """
    beats = AuditEvent.objects.filter(type=Action.AUDIT_HEARTBEAT.type)
    earlier = beats.filter(occurred_at__lt=until - within).order_by("-id").first()
    # What is older than the first heartbeat was written before there were any.
    first = earlier or beats.order_by("id").first() or AuditEvent.objects.order_by("id").first()
    if first is None:
        return timedelta()
    moments = (one.at for one in heartbeats(since=first.occurred_at, until=until))
    found = gaps(moments, since=first.occurred_at, until=until)
    return max((gap.end - gap.begin for gap in found), default=timedelta())


def _slot(now: datetime) -> datetime:
    """When the slot began in which `now` lies."""
    return now - (now - datetime(2000, 1, 1, tzinfo=UTC)) % INTERVAL


def _read(event: AuditEvent) -> Heartbeat | None:
    """What `event` says; None for one that says nothing any more."""
    try:
        leaf = event.parsed_leaf()
        return _heartbeat(event, leaf.occurred_at, leaf.node, leaf.data)
    except (LeafRefused, KeyError, TypeError, ValueError):
        return None


def _heartbeat(event: AuditEvent, at: datetime, node: str, data: Mapping[str, Any]) -> Heartbeat:
    triggers = data["triggers"]
    return Heartbeat(
        index=event.tree_index,
        at=at,
        node=node,
        expected=int(triggers["expected"]),
        found=int(triggers["found"]),
        missing=tuple(map(str, triggers["missing"])),
        size=int(data["size"]),
        signed_at=str(data["signed"]),
        leaf_hash=bytes(event.leaf_hash),
    )
