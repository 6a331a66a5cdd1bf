"""What every format says of a sealed event: its place, its leaf as it was recorded, and how grave it is."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import cached_property
from typing import Any

from security.audit import Action, Outcome


class Level(IntEnum):
    """How grave an event is, in the numbers of OCSF's severity_id."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACTIONS = {action.type: action for action in Action}
# Somebody should look now, whatever the outcome says: of these even the success is bad news.
_HIGH = {Action.REFRESH_TOKEN_REUSED, Action.RECORD_OUT_OF_BAND, Action.AUDIT_LOG_RECOVERED}
_MEDIUM = {
    Action.SESSION_LOCKED_OUT,
    Action.PERMISSION_DENIED,
    Action.REQUEST_FORGERY_REFUSED,
    Action.ACCOUNT_RECOVERED,
    Action.SUBJECT_DISCLOSED,
    Action.AUDIT_EVENT_DISCLOSED,
    Action.AUDIT_FORWARD_MOVED,
    Action.KEYS_REMOVED,
}


@dataclass(frozen=True)
class SealedEvent:
    """Event `index` of the tree: the canonical bytes of its leaf, and their hash as the tree has it."""

    index: int
    leaf: bytes
    leaf_hash: bytes

    @cached_property
    def members(self) -> dict[str, Any]:
        """The leaf as JSON has it."""
        members: dict[str, Any] = json.loads(self.leaf)
        return members

    @cached_property
    def action(self) -> Action | None:
        """None for a type of another release of ours."""
        return _ACTIONS.get(self.members["type"])

    @property
    def unix_milliseconds(self) -> int:
        """When it was recorded."""
        return (datetime.fromisoformat(self.members["ts"]) - _EPOCH) // timedelta(milliseconds=1)

    @property
    def level(self) -> Level:
        """How grave it is."""
        if self.action in _HIGH:
            return Level.HIGH
        if self.action in _MEDIUM or self.members["outcome"] == Outcome.FAILED:
            return Level.MEDIUM
        return Level.LOW if self.members["outcome"] == Outcome.REFUSED else Level.INFORMATIONAL
