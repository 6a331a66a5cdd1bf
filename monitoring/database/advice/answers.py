"""What advice says, as data: for the command, for pages and for tests."""

from dataclasses import dataclass
from datetime import datetime

from monitoring.database.advice.upkeep import Upkeep

COSTED, RULE, UNCOSTED = "costed", "rule", "not costed"


@dataclass(frozen=True, slots=True)
class Served:
    """A statement that an index would serve; the costs are the planner's units, 0 where none was asked."""

    fingerprint: str
    text: str
    calls: int
    mean_ms: float
    cost_before: float
    cost_after: float


@dataclass(frozen=True, slots=True)
class AdvisedIndex:
    """An index to make. `saves_ms` is an estimate over the time that was watched; `confidence` says how it was judged.

    costed: the planner would use it, at these costs. not costed: the planner could use it, nobody knows the price.
    rule: statistics speak for it, nothing was tried.
    """

    table: str
    keys: tuple[str, ...]
    where: str
    method: str
    reason: str
    confidence: str
    saves_ms: float
    serves: tuple[Served, ...]
    warnings: tuple[str, ...]
    sql: str
    meta: str
    migration: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class TopStatement:
    """One of the statements that took the most time, and what is known of it."""

    fingerprint: str
    text: str
    calls: int
    total_ms: float
    max_ms: float
    slow_calls: int
    repeats: int
    route: str
    call_site: str
    plan: list[str]


@dataclass(frozen=True, slots=True)
class Advice:
    """All that can be said of one database at one moment. `notes` are what a reader must know to trust it."""

    alias: str
    vendor: str
    made_at: datetime
    source: str
    indexes: tuple[AdvisedIndex, ...] = ()
    upkeep: tuple[Upkeep, ...] = ()
    statements: tuple[TopStatement, ...] = ()
    not_read: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    plans: int = 0
