"""The ways out, by name. A channel takes a message's payload to its receiver or says why not."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

Send = Callable[[UUID, Mapping[str, Any]], None]


class DeliveryFailed(Exception):  # noqa: N818 - named for what happened
    """This message was not accepted now; it is tried again."""


class ChannelDown(DeliveryFailed):
    """The channel itself does not answer: its other messages of this run would only wait for it again."""


class Undeliverable(DeliveryFailed):
    """The receiver refused for good: trying again would not help."""


_channels: dict[str, Send] = {}


def register_channel(name: str, send: Send) -> None:
    """Let messages of channel `name` (at most 20 characters) go out by `send(message_id, payload)`.

    `send` returns only when the other side has accepted, must have time-outs of its own well below the lease
    of 60 s, and may be called again for a message that already went out: it hands `message_id` on, so that
    the receiver recognises a duplicate. It raises DeliveryFailed or a subclass. Raises ValueError for a
    second sender of one name.
    """
    if _channels.setdefault(name, send) is not send:
        raise ValueError(f"channel {name} has a sender already")


def sender_of(name: str) -> Send | None:
    """The sender of channel `name`; None where this process knows no such channel."""
    return _channels.get(name)
