"""The outbox's face: what must reach someone is a row of the act's own transaction, delivered at least once.

Mail is the channel that comes with it; `register_channel` adds others. Which clock calls `deliver_due` is the
schedule's matter.
"""

from security.outbox.channels import ChannelDown, DeliveryFailed, Undeliverable, register_channel
from security.outbox.mail import Mail
from security.outbox.models import OutboxMessage
from security.outbox.services import (
    OutboxOutsideTransaction,
    deliver_due,
    enqueue,
    enqueue_mail,
    oldest_waiting,
    purge_messages,
    send_now,
)
from security.outbox.signals import delivery_tried, message_given_up, message_queued

__all__ = [
    "ChannelDown",
    "DeliveryFailed",
    "Mail",
    "OutboxMessage",
    "OutboxOutsideTransaction",
    "Undeliverable",
    "deliver_due",
    "delivery_tried",
    "enqueue",
    "enqueue_mail",
    "message_given_up",
    "message_queued",
    "oldest_waiting",
    "purge_messages",
    "register_channel",
    "send_now",
]
