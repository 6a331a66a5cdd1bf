"""Which panels there are, and what their lines are made of. Pure but for the reading of the history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitoring.dashboard.history import History, Period, read_history
from monitoring.metrics import metrics
from monitoring.rollups import DISK_USED, MEMORY_USED, POOL_USED
from monitoring.rollups.selecting import quantiles
from monitoring.rollups.summing import (
    DURATIONS,
    HASH_QUEUE,
    REFUSALS,
    REQUESTS,
    SIGN_INS,
    STATEMENT_SECONDS,
    STATEMENTS,
    SUMS,
    Sum,
)

SESSIONS = "kf_sessions_alive"  # a gauge that whoever knows sessions keeps, once in so many seconds
_COUNTED_SECONDS = 60
Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel: a value for each slot, None where nothing is known."""

    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture: its lines in `unit` over the slots that begin at `starts` (Unix times)."""

    slug: str
    title: str
    unit: str
    starts: Sequence[int]
    lines: tuple[Line, ...]


def panels(period: Period, now: datetime) -> list[Panel]:
    """All panels of `period` up to `now`, in the order in which a person asks: is it us, is it slow, who is there."""
    names = [total.name for total in SUMS] + [SESSIONS, POOL_USED, MEMORY_USED, DISK_USED]
    history = read_history(period, now, names)
    return [
        Panel(slug, title, unit, history.starts, tuple(Line(name, values) for name, values in lines(history)))
        for slug, title, unit, lines in _PANELS
    ]


Lines = list[tuple[str, Values]]


def _requests(history: History) -> Lines:
    return [("answered", _each(history.sums(REQUESTS.name), history.seconds))]


def _errors(history: History) -> Lines:
    failed, all_ = history.sums(REQUESTS.name, (("status_class", "5xx"),)), history.sums(REQUESTS.name)
    return [("failed", [100 * part / whole if whole else None for part, whole in zip(failed, all_, strict=True)])]


def _durations(history: History) -> Lines:
    return _quantiles(history, DURATIONS, (0.5, 0.95, 0.99))


def _hash_queue(history: History) -> Lines:
    return _quantiles(history, HASH_QUEUE, (0.95,))


def _sign_ins(history: History) -> Lines:
    succeeded = history.sums(SIGN_INS.name, (("outcome", "success"),))
    refused = [all_ - well for all_, well in zip(history.sums(SIGN_INS.name), succeeded, strict=True)]
    return [
        ("signed in", _each(succeeded, history.seconds, 60)),
        ("refused", _each(refused, history.seconds, 60)),
    ]


def _refusals(history: History) -> Lines:
    return [("refused", _each(history.sums(REFUSALS.name), history.seconds, 60))]


def _statement_time(history: History) -> Lines:
    return [("in statements", _each(history.sums(STATEMENT_SECONDS.name), history.seconds, 1000))]


def _statement_mean(history: History) -> Lines:
    pairs = zip(history.sums(STATEMENT_SECONDS.name), history.sums(STATEMENTS.name), strict=True)
    return [("mean", [1000 * seconds / times if times else None for seconds, times in pairs])]


def _gauge(name: str, title: str) -> Callable[[History], Lines]:
    def lines(history: History) -> Lines:
        return [(title, [None if value is None else value * 100 for value in history.most(name)])]

    return lines


def _sessions(history: History) -> Lines:
    """Counted once a minute: what is counted holds for that minute, and for one slot in case the next comes late."""
    values = list(history.most(SESSIONS))
    for _ in range(_COUNTED_SECONDS // max(history.seconds)):
        values = [before if value is None else value for before, value in zip([None, *values], values, strict=False)]
    return [("alive", values)]


_PANELS: tuple[tuple[str, str, str, Callable[[History], Lines]], ...] = (
    ("requests", "Requests", "a second", _requests),
    ("errors", "Failed requests", "%", _errors),
    ("durations", "Duration of requests", "ms", _durations),
    ("sign-ins", "Sign-ins", "a minute", _sign_ins),
    ("refusals", "Refusals", "a minute", _refusals),
    ("sessions", "Sessions alive", "sessions", _sessions),
    ("hash-queue", "Wait for a turn to hash", "ms", _hash_queue),
    ("statement-time", "Time in the database", "ms a second", _statement_time),
    ("statement-mean", "One statement", "ms", _statement_mean),
    ("pool", "Connection pool, fullest process", "% in use", _gauge(POOL_USED, "in use")),
    ("memory", "Memory of the server", "% of what there is", _gauge(MEMORY_USED, "in use")),
    ("disk", "Disk of the data folder", "% in use", _gauge(DISK_USED, "in use")),
)


def _each(values: Sequence[float], seconds: Sequence[int], per: float = 1) -> list[float]:
    """Counts of slots as a rate in `per` seconds."""
    return [value * per / length for value, length in zip(values, seconds, strict=True)]


def _quantiles(history: History, of: Sum, points: Sequence[float]) -> Lines:
    buckets = history.buckets(of.name, metrics().bounds[of.of.removesuffix("_bucket")])
    bounds = list(buckets)
    slots = [list(quantiles(counts, points, bounds=bounds)) for counts in zip(*buckets.values(), strict=True)]
    in_ms = ([None if found is None else found * 1000 for found in line] for line in zip(*slots, strict=True))
    return [(f"p{q * 100:g}", line) for q, line in zip(points, in_ms, strict=True)]
