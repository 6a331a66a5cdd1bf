"""Forwards what is sealed and signed, from a cursor in the database, one process at a time.

At least once: the cursor moves after the receiver took a batch. A process that dies in between leaves its lease to
run out, and the batch goes out again. After an outage the last minute goes out again too, because a receiver may have
died with what it had not written yet.
"""

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from security.audit import Action, AuditEvent, record
from security.outbox.backoff import wait_after
from security.siem.events import SealedEvent
from security.siem.models import AuditForward, is_over
from security.siem.syslog import message
from security.siem.transport import PATIENCE_SECONDS, CertificatesUnreadable, ReceiverUnavailable, deliver
from security.syslog_url import Destination, parse_destination
from security.tlog import last_signed

logger = logging.getLogger("security.siem")

BATCH = 500
BUDGET_SECONDS = 20.0
LEASE = timedelta(seconds=BUDGET_SECONDS + 2 * PATIENCE_SECONDS + 20)
SETTLED_AFTER = timedelta(seconds=60)
LONGEST_WAIT = timedelta(minutes=5)


class ForwardingOff(LookupError):  # noqa: N818 - named for what is so
    """AUDIT_SYSLOG is empty: the log is forwarded to nobody."""


class Busy(RuntimeError):  # noqa: N818 - named for what is so
    """Another process forwards the log, or died at it less than a minute ago."""


class NoSuchEvent(LookupError):  # noqa: N818 - named for what is missing
    """The signed tree has no such place."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the log was forwarded: all events below `next_index`, of `size` that are signed.

    `lag` is the age of the oldest event that waits; `failing_since` when the receiver first did not take what was
    sent, None while it does.
    """

    next_index: int
    size: int
    lag: timedelta
    failing_since: datetime | None
    last_error: str


def standing(now: datetime) -> Standing | None:
    """How the forwarding stands; None where AUDIT_SYSLOG is empty."""
    if not settings.AUDIT_SYSLOG:
        return None
    row, size = AuditForward.objects.first() or AuditForward(), _size()
    waiting = AuditEvent.objects.filter(tree_index__gte=row.next_index, tree_index__lt=size).order_by("tree_index")
    oldest = waiting.values_list("occurred_at", flat=True).first()
    lag = max(now - oldest, timedelta()) if oldest else timedelta()
    return Standing(row.next_index, size, lag, row.failing_since, row.last_error)


def require_standing(now: datetime) -> Standing:
    """As `standing`; raises ForwardingOff where there is none."""
    told = standing(now)
    if told is None:
        raise ForwardingOff("AUDIT_SYSLOG is empty: the log is forwarded to nobody")
    return told


def forward_on_schedule() -> None:
    """`forward_sealed` for the clock: what it could not send waits in the log, and one line told of it."""
    if not settings.AUDIT_SYSLOG:
        return
    try:
        forward_sealed(budget_seconds=BUDGET_SECONDS)
    except (Busy, ReceiverUnavailable) as reason:
        logger.debug("audit_forward_waits", extra={"reason": str(reason)})


def forward_sealed(*, budget_seconds: float | None = None, is_hurried: bool = False) -> int:
    """Send every signed event that was not sent yet, in the order of the tree; how many.

    Begins no batch after `budget_seconds`. `is_hurried` does not wait out the pause after a failure. Raises
    ForwardingOff, Busy, ReceiverUnavailable, CertificatesUnreadable, DestinationMisnamed; what was sent stays sent.
    """
    if not settings.AUDIT_SYSLOG:
        raise ForwardingOff("AUDIT_SYSLOG is empty: the log is forwarded to nobody")
    destination = parse_destination(settings.AUDIT_SYSLOG)
    row, _ = AuditForward.objects.get_or_create(pk=1)
    if row.next_index >= _size():
        return 0
    holder = _claim(is_hurried=is_hurried)
    deadline = None if budget_seconds is None else time.monotonic() + budget_seconds
    sent = 0
    try:
        while deadline is None or time.monotonic() < deadline:
            count = _forward_batch(holder, destination)
            if count is None:
                break
            sent += count
    finally:
        _mine(holder).update(leased_until=None, holder="")
    return sent


def go_on_from(index: int, *, operator: str, reason: str) -> None:
    """Move the cursor to `index`, and tell of it in the log. Who is sending stops at the next batch.

    Events below `index` that were not sent yet never are. Raises NoSuchEvent.
    """
    if not 0 <= index <= _size():
        raise NoSuchEvent(f"the signed tree has places 0 to {_size()}, and {index} is none of them")
    AuditForward.objects.get_or_create(pk=1)
    with transaction.atomic(durable=True):
        row = AuditForward.objects.select_for_update().get(pk=1)
        told = {"operator": operator, "reason": reason, "from": row.next_index, "to": index}
        record(Action.AUDIT_FORWARD_MOVED, data=told)
        row.next_index = index
        row.settled_index = row.settling_index = index
        row.settling_at = row.leased_until = row.retry_at = None
        row.holder = ""
        row.save()


def _size() -> int:
    last = last_signed()
    return last.size if last else 0


def _mine(holder: str) -> Any:
    return AuditForward.objects.filter(pk=1, holder=holder)


def _claim(*, is_hurried: bool) -> str:
    """The name under which the row is ours for the length of a lease. Raises Busy."""
    now, holder = timezone.now(), secrets.token_hex(16)
    free = AuditForward.objects.filter(Q(leased_until=None) | Q(leased_until__lt=now), pk=1)
    if not is_hurried:
        free = free.filter(Q(retry_at=None) | Q(retry_at__lte=now))
    if not free.update(holder=holder, leased_until=now + LEASE):
        raise Busy("another process forwards the log, or the pause after a failure is not over")
    return holder


def _forward_batch(holder: str, destination: Destination) -> int | None:
    """Send the next batch; how many events, None where nothing waits or the row is no longer ours."""
    row = _mine(holder).first()
    end = min(row.next_index + BATCH, _size()) if row else 0
    if row is None or end <= row.next_index:
        return None
    rows = AuditEvent.objects.filter(tree_index__gte=row.next_index, tree_index__lt=end)
    rows = rows.order_by("tree_index").only("tree_index", "leaf", "leaf_hash")
    texts = [text for one in rows if (text := _text(one)) is not None]
    if len(texts) < end - row.next_index:
        # What was taken out of the log, or spoilt, cannot be sent. The receiver sees a gap; audit_verify says more.
        told = {"first": row.next_index, "end": end, "missing": end - row.next_index - len(texts)}
        logger.error("audit_forward_gap", extra=told)
    try:
        deliver(texts, to=destination, ca_file=settings.AUDIT_SYSLOG_CA)
    except (ReceiverUnavailable, CertificatesUnreadable) as failure:
        _failed(row, failure)
        raise
    return len(texts) if _succeeded(row, end) else None


def _text(row: AuditEvent) -> bytes | None:
    event = SealedEvent(row.tree_index or 0, bytes(row.leaf), bytes(row.leaf_hash))
    try:
        return message(event, form=settings.AUDIT_SIEM_FORMAT, version=settings.VERSION)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None  # no bytes of ours: somebody must not stop the log by spoiling one event in it


def _succeeded(row: AuditForward, end: int) -> bool:
    """Whether the row was still ours. One that was not is another's, who sends this batch again."""
    now = timezone.now()
    values: dict[str, Any] = {"next_index": end, "sent_at": now, "leased_until": now + LEASE}
    values |= {"attempts": 0, "retry_at": None, "failing_since": None, "last_error": ""}
    if is_over(row.settling_at, now, SETTLED_AFTER):
        values |= {"settled_index": row.settling_index, "settling_index": end, "settling_at": now}
    is_ours = bool(_mine(row.holder).update(**values))
    if is_ours and row.failing_since:
        logger.info("audit_forward_goes_on", extra={"index": row.next_index})
    return is_ours


def _failed(row: AuditForward, failure: Exception) -> None:
    now = timezone.now()
    back_to = row.settled_at(now, after=SETTLED_AFTER)
    wait = min(wait_after(row.attempts + 1, chance=0), LONGEST_WAIT)
    values: dict[str, Any] = {"next_index": back_to, "settled_index": back_to, "settling_index": back_to}
    values |= {"attempts": row.attempts + 1, "retry_at": now + wait, "settling_at": None}
    values |= {"failing_since": row.failing_since or now, "last_error": str(failure)[:200]}
    if _mine(row.holder).update(**values) and row.failing_since is None:
        logger.error("audit_forward_fails", extra={"what": str(failure), "index": back_to})
