"""Lists the locks that stand now, in bounded work however many counters there are. It lifts none and names nobody."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from security.lockout.kinds import Kind, full, kind_of
from security.lockout.models import CredentialCounter

MOST_READ = 5000
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Lock:
    """One full counter. `account` is its digest, "" where the lock spans all accounts.

    `failures` stand in it; the first of them came at `began`, the one that filled it at `since`; it ends at `until`.
    """

    kind: Kind
    account: str
    failures: int
    began: datetime
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The latest locks, newest first. `is_whole`: there are no others."""

    locks: tuple[Lock, ...]
    is_whole: bool


def standing_locks(*, now: datetime | None = None) -> Standing:
    """The locks that stand, at most MOST_LISTED, found among the MOST_READ counters that end last. Two statements.

    A guesser with many addresses makes as many counters as guesses: whoever lists them all does that guesser's work.
    A lock moves its counter's end to a whole window from then, so the newest locks are read first.
    """
    now = now or timezone.now()
    # The moment itself, not a subquery: PostgreSQL would read the whole table to join with one.
    ends = CredentialCounter.objects.order_by("-expires_at").values_list("expires_at", flat=True)
    beyond = ends.filter(expires_at__gt=now)[MOST_READ : MOST_READ + 1]
    floor = next(iter(beyond), None)
    latest = CredentialCounter.objects.filter(full(), expires_at__gt=floor or now).order_by("-expires_at", "pk")
    rows = list(latest[: MOST_LISTED + 1])
    is_whole = floor is None and len(rows) <= MOST_LISTED
    return Standing(locks=tuple(map(_lock, rows[:MOST_LISTED])), is_whole=is_whole)


def _lock(row: CredentialCounter) -> Lock:
    window = timedelta(seconds=settings.LOCKOUT_WINDOW_SECONDS)
    return Lock(
        kind=kind_of(account=row.account, address=row.address),
        account=row.account,
        failures=row.count,
        began=row.started_at,
        since=max(row.started_at, row.expires_at - window),
        until=row.expires_at,
    )
