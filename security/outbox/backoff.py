"""When a failed delivery is tried again, and when it is given up. Pure: clock and chance are passed in."""

from datetime import datetime, timedelta

FIRST_SECONDS = 5
LONGEST_SECONDS = 30 * 60
GIVE_UP_AFTER = timedelta(hours=24)
_JITTER = 0.2
# 24 hours of waits come to fewer than 70 attempts. More means that the process died in each of them, so that
# no failure was ever written down: such a message must not be tried for ever.
MAX_ATTEMPTS = 100


def wait_after(attempts: int, *, chance: float) -> timedelta:
    """How long to wait after the `attempts`-th failure (from 1): 5 s, doubling, up to 30 minutes.

    `chance` from 0 to 1 takes off up to a fifth, so that what failed together does not return together.
    """
    doublings = min(attempts - 1, 16)
    seconds = min(FIRST_SECONDS * 2**doublings, LONGEST_SECONDS)
    return timedelta(seconds=seconds * (1 - _JITTER * chance))


def is_given_up(*, created_at: datetime, attempts: int, now: datetime) -> bool:
    """Whether a message whose delivery has just failed is not tried again."""
    return now - created_at >= GIVE_UP_AFTER or attempts > MAX_ATTEMPTS
