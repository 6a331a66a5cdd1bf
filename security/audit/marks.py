"""Whether an event's row is what this installation wrote: its mark is made with a key that no database holds."""

import hmac
from datetime import datetime, timedelta
from typing import Protocol

from security.audit.leaf import LeafRefused, id_and_node_of, leaf_hash, window_mac
from security.crypto import KeyRing, UnknownKey


class Marked(Protocol):
    """The columns of an event that its mark covers, and its id as the driver has it."""

    @property
    def event_id(self) -> object: ...

    @property
    def leaf(self) -> bytes | memoryview: ...

    @property
    def leaf_hash(self) -> bytes | memoryview: ...

    @property
    def mac(self) -> bytes | memoryview: ...

    @property
    def mac_key(self) -> str: ...


NO_KEY = "waits under audit_mac key {}, which the key ring lacks: see An event of another key ring in docs/audit-log.md"
_KEPT_TO = timedelta(seconds=1)  # times in a ring


class MarkWrong(ValueError):  # noqa: N818 - named for what is so
    """`record` did not write this row, or it was changed since. The message goes on after the event's name."""


def check_mark(event: Marked, ring: KeyRing) -> None:
    """Raises MarkWrong unless the row is what `record` wrote under a mark of `ring`."""
    leaf, digest = bytes(event.leaf), bytes(event.leaf_hash)
    if not hmac.compare_digest(leaf_hash(leaf), digest):
        raise MarkWrong("is not the one that was recorded: its hash differs")
    try:
        key = ring.get("audit_mac", event.mac_key)
    except UnknownKey:
        raise MarkWrong(NO_KEY.format(event.mac_key)) from None
    try:
        # Of whatever spelling: `record` knows one, and the mark tells that it wrote this.
        event_id, node = id_and_node_of(leaf)
    except LeafRefused as refused:
        raise MarkWrong(f"is none: {refused}") from refused
    if not hmac.compare_digest(window_mac(key=key.secret, digest=digest, node=node), bytes(event.mac)):
        raise MarkWrong("was not written by this installation: its mark is wrong")
    if str(event.event_id).replace("-", "") != event_id.replace("-", ""):
        # A copy of one that was recorded, with its mark: whoever may INSERT could have it sealed a second time.
        raise MarkWrong("bears another id than it was recorded with")


def may_lack_key(ring: KeyRing, key_id: str, *, at: datetime) -> bool:
    """Whether an event of this time may have a mark under a key whose secret `ring` has no more.

    It was removed later, or the event is older than the ring: a ring keeps the ids of what it ever held.
    """
    keys = [key for key in ring.keys if key.use == "audit_mac"]
    removed = next((key for key in keys if key.id == key_id), None)
    if removed is None:
        return at < min(key.created for key in keys)
    return removed.since is None or at < removed.since + _KEPT_TO
