"""What a verification can find wrong, and its report. Looks at nothing itself."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Ways in which the log is not what was signed. The names are stable: operators' alerts match on them."""

    EDITED = "event_edited"  # the leaf is not the one of its hash, or the hash is not the one in the tree
    MISSING = "event_missing"  # a place in the tree has no event
    EXTRA = "event_extra"  # an event has a place beyond the signed tree
    UNMARKED = "event_unmarked"  # the mark that only this installation can make is wrong
    COLUMN = "column_edited"  # a column that copies the leaf says something else
    PERSONAL = "personal_value_edited"  # a personal value does not open the leaf's commitment
    PERSONAL_GONE = "personal_value_missing"  # a personal value is not there, though nobody was erased
    BACKDATED = "event_backdated"  # it says to be much older than those before it
    POSTDATED = "event_postdated"  # it says to be younger than the checkpoint that has it
    TILE = "tile_edited"  # a stored hash of the tree is wrong
    ROOT = "root_differs"  # the events do not give the root of a checkpoint
    CHECKPOINT = "checkpoint_edited"  # a checkpoint's note is not signed by the log, or says something else
    KEY = "key_replaced"  # the database names another key or origin than the signer's
    ROLLED_BACK = "log_rolled_back"  # the database ends before the last signed tree
    FORKED = "log_forked"  # the database has another tree than the signed one
    PRUNED = "pruning_differs"  # events were taken out that no pruning may, or others than it says
    WITNESS = "witness_differs"  # a witness has seen another tree
    TRIGGER = "trigger_missing"  # the database no longer refuses to change what was recorded


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding. `index` is the place of the first event concerned, None where none is; `what` is a sentence."""

    kind: Kind
    what: str
    index: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}{'' if self.index is None else f' at {self.index}'}: {self.what}"


@dataclass(slots=True)
class Report:
    """What was verified, what was wrong, and what could not be looked at. `pruned` are places without their event."""

    since: int = 0
    size: int = 0
    events: int = 0
    pruned: int = 0
    pending: int = 0
    checkpoints: int = 0
    root: str = ""
    faults: list[Fault] = field(default_factory=list)
    not_verified: list[str] = field(default_factory=list)
    _seen: set[Kind] = field(default_factory=set)

    def fault(self, kind: Kind, what: str, *, index: int | None = None) -> None:
        """Note a finding; the first of each kind is what the others follow from, and only it is kept."""
        if kind not in self._seen:
            self._seen.add(kind)
            self.faults.append(Fault(kind, what, index))

    @property
    def first_bad_index(self) -> int | None:
        """The lowest place of an event that a finding names."""
        return min((fault.index for fault in self.faults if fault.index is not None), default=None)

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing was found to be changed; that nothing guards it any more may have been."""
        return self._seen <= {Kind.TRIGGER}

    @property
    def exit_code(self) -> int:
        """0 proved; 1 something was changed, or is unguarded; 2 nothing was found, and something not looked at."""
        return 1 if self.faults else 2 if self.not_verified else 0

    def as_json(self) -> dict[str, Any]:
        """The report as an object of plain values."""
        return {
            "verified": self.exit_code == 0,
            "since": self.since,
            "size": self.size,
            "root": self.root,
            "events": self.events,
            "pruned": self.pruned,
            "pending": self.pending,
            "checkpoints": self.checkpoints,
            "firstBadIndex": self.first_bad_index,
            "faults": [{"kind": fault.kind, "index": fault.index, "what": fault.what} for fault in self.faults],
            "notVerified": self.not_verified,
        }
