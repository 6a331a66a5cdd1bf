"""Puts messages into the outbox with the act they belong to, and takes them out. Knows no channel's protocol.

At least once: a message counts as sent only after the other side accepted it. A deliverer that dies in
between leaves its lease to run out, and the message goes out again under the same id.
"""

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone
from uuid_utils.compat import uuid7

from security.audit.agent import agent_family
from security.audit.unidentified import ensure_unidentified_subject
from security.context import current
from security.crypto import KeyDestroyed, SubjectKey
from security.outbox.backoff import MAX_ATTEMPTS, is_given_up, wait_after
from security.outbox.channels import ChannelDown, DeliveryFailed, Undeliverable, sender_of
from security.outbox.mail import CHANNEL as MAIL
from security.outbox.mail import Mail, render_mail
from security.outbox.models import OutboxMessage, State
from security.outbox.signals import delivery_tried, message_given_up, message_queued

logger = logging.getLogger("security.outbox")

LEASE = timedelta(seconds=60)
KEPT = timedelta(days=30)


class OutboxOutsideTransaction(RuntimeError):  # noqa: N818 - named for what happened
    """A message was enqueued outside a transaction: a crash could part it from its act."""


def enqueue_mail(
    *, subject: SubjectKey, to: str, kind: Mail | str, context: Mapping[str, Any] | None = None
) -> OutboxMessage:
    """Write a mail about `subject` to `to` into the transaction that is open.

    The words are set now: `context` holds what the mail needs besides `when` (now) and `client` (the program
    of the present request), and may replace these two. Raises as `enqueue`, and ValueError for an unknown
    mail or a context that does not fit it.
    """
    values = {"when": timezone.now(), "client": agent_family(current().client.user_agent)} | dict(context or {})
    title, body = render_mail(Mail(kind), values)
    return enqueue(channel=MAIL, kind=str(kind), subject=subject, payload={"to": to, "subject": title, "body": body})


def enqueue(*, channel: str, kind: str, subject: SubjectKey | None, payload: Mapping[str, Any]) -> OutboxMessage:
    """Write a message into the transaction that is open; one INSERT.

    `payload` is JSON for the channel's sender, sealed under the key of `subject`; None where whom it concerns must not
    be looked up yet: the month's unidentified subject holds it then. Raises OutboxOutsideTransaction, ValueError for
    an unknown channel, KeyDestroyed for an erased person.
    """
    if not connection.in_atomic_block:
        raise OutboxOutsideTransaction(f"{channel} {kind} must be enqueued inside the transaction of its act")
    if sender_of(channel) is None:
        raise ValueError(f"no channel {channel}")
    now = timezone.now()
    holder = ensure_unidentified_subject(at=now) if subject is None else subject
    message = OutboxMessage(channel=channel, kind=kind, subject=holder, due_at=now, created_at=now)
    message.payload = json.dumps(payload, ensure_ascii=False)
    message.save(force_insert=True)
    transaction.on_commit(partial(message_queued.send_robust, sender=OutboxMessage), robust=True)
    return message


def deliver_due(*, limit: int = 50, budget_seconds: float = 30) -> int:
    """Deliver up to `limit` messages that are due; how many were accepted by the other side.

    Any number of processes may run it at once: each message is one's own for the length of its lease. Begins
    no delivery after `budget_seconds`. Raises RuntimeError inside a transaction, in which nobody would see
    the lease.
    """
    deadline = time.monotonic() + budget_seconds
    down: set[str] = set()
    delivered = 0
    for _ in range(limit):
        message = _claim(without=down, now=timezone.now())
        if message is None:
            break
        try:
            _send(message)
        except DeliveryFailed as failure:
            outcome = _put_back(message, failure=failure, now=timezone.now())
            if isinstance(failure, ChannelDown):
                down.add(message.channel)
        else:
            _settle_as_sent(message, now=timezone.now())
            delivered, outcome = delivered + 1, "sent"
        delivery_tried.send_robust(sender=OutboxMessage, message=message, outcome=outcome)
        if time.monotonic() >= deadline:
            break
    return delivered


def send_now(*, channel: str, payload: Mapping[str, Any]) -> None:
    """Give `payload` to its channel at once and without a row: for the one message that the database cannot hold, that
    the database is away. Raises DeliveryFailed.
    """
    _hand_over(uuid7(), channel, lambda: payload)


def oldest_waiting(*, kind: str | None = None) -> datetime | None:
    """When the oldest message was queued that is not out yet and still tried; of `kind` alone where it is given."""
    waiting = OutboxMessage.objects.waiting()
    if kind is not None:
        waiting = waiting.filter(kind=kind)
    return waiting.aggregate(oldest=Min("created_at"))["oldest"]


def purge_messages() -> int:
    """Delete messages that were sent or given up more than 30 days ago; how many. Idempotent."""
    deleted, _ = OutboxMessage.objects.settled_before(timezone.now() - KEPT).delete()
    return deleted


def _claim(*, without: set[str], now: datetime) -> OutboxMessage | None:
    """The next due message under a lease of our own, or None.

    One at a time: a batch could outlive its lease.
    """
    claimable = OutboxMessage.objects.claimable(now).exclude(channel__in=without)
    if not claimable.exists():  # idle ticks take no lock
        return None
    until = now + LEASE
    can_skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic(durable=True):
        rows = claimable.order_by("due_at", "pk").select_for_update(skip_locked=can_skip)
        key = rows.values_list("pk", flat=True).first()
        # The condition is asked again in the statement that takes the row: where rows cannot be locked, two
        # who read the same one must not both have it.
        if key is None or not claimable.filter(pk=key).update(state=State.LEASED, lease_until=until):
            return None
        message = OutboxMessage.objects.select_related("subject").get(pk=key)
        message.attempts += 1
        message.save(update_fields=["attempts"])
    return message


def _send(message: OutboxMessage) -> None:
    """Raises DeliveryFailed."""
    if message.attempts > MAX_ATTEMPTS:
        raise Undeliverable("tried too often without an outcome")
    _hand_over(message.pk, message.channel, lambda: json.loads(message.payload or "{}"))


def _hand_over(message_id: UUID, channel: str, payload: Callable[[], Mapping[str, Any]]) -> None:
    """Open `payload` and give it to its channel. Raises DeliveryFailed, into which everything else is turned."""
    send = sender_of(channel)
    if send is None:
        # Another release may know the channel; this one must not spend its time on it.
        raise ChannelDown(f"no channel {channel}")
    try:
        send(message_id, payload())
    except DeliveryFailed:
        raise
    except KeyDestroyed:
        raise Undeliverable("the person was erased") from None
    except Exception as error:
        # A fault of one channel must not hold up the others, nor be retried without a pause.
        logger.exception("outbox_channel_fault", extra={"outbox_id": str(message_id), "channel": channel})
        raise DeliveryFailed(f"fault of the channel ({type(error).__name__})") from error


def _settle_as_sent(message: OutboxMessage, *, now: datetime) -> None:
    # Whoever holds the lease by now: the other side has the message, and its words are not needed any more.
    OutboxMessage.objects.filter(pk=message.pk).exclude(state=State.SENT).update(
        state=State.SENT, sent_at=now, settled_at=now, lease_until=None, payload=None, last_error=""
    )


def _put_back(message: OutboxMessage, *, failure: DeliveryFailed, now: datetime) -> str:
    is_dead = isinstance(failure, Undeliverable) or is_given_up(
        created_at=message.created_at, attempts=message.attempts, now=now
    )
    fields: dict[str, Any] = {"lease_until": None, "last_error": str(failure)[:100]}
    if is_dead:
        fields |= {"state": State.DEAD, "settled_at": now}
    else:
        wait = wait_after(message.attempts, chance=random.random())  # noqa: S311 - spreads load, hides nothing
        fields |= {"state": State.PENDING, "due_at": now + wait}
    # Only under our own lease: a message that went to somebody else meanwhile is theirs to judge.
    ours = OutboxMessage.objects.filter(pk=message.pk, state=State.LEASED, lease_until=message.lease_until)
    with transaction.atomic():
        is_ours = ours.update(**fields)
        if is_ours and is_dead:
            message_given_up.send(sender=OutboxMessage, message=message)
    if is_ours:
        log = logger.error if is_dead else logger.warning
        log(
            "outbox_message_dead" if is_dead else "outbox_delivery_failed",
            extra={
                "outbox_id": str(message.pk),
                "channel": message.channel,
                "kind": message.kind,
                "attempts": message.attempts,
                "reason": fields["last_error"],
            },
        )
    return "dead" if is_dead else "failed"
