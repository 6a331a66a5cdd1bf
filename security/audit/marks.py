"""Whether an event's row is what this installation wrote: its mark is made with a key that no database holds."""

import hmac
from typing import Any, Protocol

from security.audit.leaf import LeafRefused, leaf_hash, members_of, window_mac
from security.crypto import UnknownKey, keyring


class Marked(Protocol):
    """The columns of an event that its mark covers, and the id by which it is told of."""

    @property
    def event_id(self) -> Any: ...

    @property
    def leaf(self) -> bytes | memoryview: ...

    @property
    def leaf_hash(self) -> bytes | memoryview: ...

    @property
    def mac(self) -> bytes | memoryview: ...

    @property
    def mac_key(self) -> str: ...


class MarkWrong(ValueError):  # noqa: N818 - named for what is so
    """`record` did not write this row, or it was changed since."""


def check_mark(event: Marked) -> None:
    """Raises MarkWrong unless the row is what `record` wrote."""
    leaf, digest = bytes(event.leaf), bytes(event.leaf_hash)
    if not hmac.compare_digest(leaf_hash(leaf), digest):
        raise MarkWrong(f"event {event.event_id} is not the one that was recorded: its hash differs")
    try:
        key = keyring().get("audit_mac", event.mac_key)
    except UnknownKey:
        raise MarkWrong(f"event {event.event_id} is guarded by a key that the ring no longer has") from None
    try:
        node = members_of(leaf)["node"]
    except LeafRefused as refused:
        raise MarkWrong(f"event {event.event_id} is not one: {refused}") from refused
    if not hmac.compare_digest(window_mac(key=key.secret, digest=digest, node=node), bytes(event.mac)):
        raise MarkWrong(f"event {event.event_id} was not written by this installation: its mark is wrong")
