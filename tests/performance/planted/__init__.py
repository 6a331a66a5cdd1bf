"""Databases with indexes left out on purpose, and the statements that miss them. `trade` is what advice was tuned on;
`freight` was written before the tuning and is held out: look at its figures, not at it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A statement of the workload: a list of values, one for each call in turn, and the indexes an expert would make.

    Without any it is a trap: no index helps, or one is there.
    """

    sql: str
    values: list[tuple[Any, ...]]
    oracle: tuple[str, ...] = ()
    is_cascade: bool = False  # what it wants shows in no plan: found where an index leads with that foreign key
    calls: int = 12


@dataclass(frozen=True)
class Planted:
    """A whole database. `redundant`, `invalid` and `bloated` are names of indexes that advice must find."""

    schema: str
    workload: list[Asked]
    redundant: set[str] = field(default_factory=set)
    invalid: set[str] = field(default_factory=set)
    bloated: set[str] = field(default_factory=set)
    invalidate: tuple[str, ...] = ()


# Values that the statements are asked with: numbers, MD5 of some of them as the schemas have it, and days.
N = range(1, 13)
DIGESTS = ["c4ca4238a0b923820dcc509a6f75849b", "c81e728d9d4c2f636f067f89cc14862c", "eccbc87e4b5ce2fe28308fd9f2a7baf3"]


def day(number: int) -> datetime:
    """So many days into 2026."""
    return datetime(2026, 1, 1) + timedelta(days=number)  # noqa: DTZ001 - columns without a zone
