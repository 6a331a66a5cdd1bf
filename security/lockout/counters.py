"""Exact counting under any parallelism: each step is one statement, so nobody acts on a number that is old.

The one module here with SQL of its own, for PostgreSQL and SQLite from 3.35. Limits come from the caller.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from security.lockout.models import CredentialCounter

# The row's window is over when its end is not after this attempt's start; then it begins anew with this
# attempt. The attempt that fills the counter moves the end: a lock lasts a whole window from the guess that
# caused it.
_TAKE = """
INSERT INTO lockout_counter AS held (key, account, address, count, started_at, expires_at)
VALUES (%s, %s, %s, 1, %s, %s)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN held.expires_at <= excluded.started_at THEN 1 ELSE held.count + 1 END,
    started_at = CASE WHEN held.expires_at <= excluded.started_at
                      THEN excluded.started_at ELSE held.started_at END,
    expires_at = CASE WHEN held.expires_at <= excluded.started_at OR held.count + 1 >= %s
                      THEN excluded.expires_at ELSE held.expires_at END
WHERE held.expires_at <= excluded.started_at OR held.count < %s
RETURNING count
"""

# A window that began after the attempt holds other people's counts: taking one of those back would be a free
# guess.
_GIVE_BACK = "UPDATE lockout_counter SET count = count - 1 WHERE key = %s AND count > 0 AND started_at <= %s"


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter: its digests as in CredentialCounter, and how many checks its window allows."""

    key: str
    account: str
    address: str
    limit: int


def take(counter: Counter, *, now: datetime, window_seconds: int) -> int | None:
    """Count one check if fewer than `limit` stand in the window; how many stand then, None if it was not counted.

    Two callers never get the same last place: the row is locked by the statement that reads it.
    """
    start = connection.ops.adapt_datetimefield_value(now)
    end = connection.ops.adapt_datetimefield_value(now + timedelta(seconds=window_seconds))
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            [counter.key, counter.account, counter.address, start, end, counter.limit, counter.limit],
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def give_back(counter: Counter, *, taken_at: datetime) -> None:
    """Uncount the check counted at `taken_at`, unless its window is gone."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_BACK, [counter.key, connection.ops.adapt_datetimefield_value(taken_at)])


def full_until(counters: list[Counter], *, now: datetime) -> datetime | None:
    """When the last of those of `counters` that are full will be free again; None while all have room."""
    limits = {counter.key: counter.limit for counter in counters}
    rows = CredentialCounter.objects.filter(key__in=limits, expires_at__gt=now)
    ends = [row.expires_at for row in rows if row.count >= limits[row.key]]
    return max(ends, default=None)
