"""The table of limits: which requests count against what. Rates are settings, `RATE_LIMITS[name]`, as "100/15m".

Sign-in and the other checks of a password or a code have limits of their own, in the database
(`security.lockout`, `LOCKOUT_*`): those must hold when Redis is away.
"""

from dataclasses import dataclass
from enum import Enum


class Key(Enum):
    """Whose requests are counted together."""

    SUBJECT = "subject"  # the session's person where the bearer's signature holds, else the address
    ADDRESS = "address"  # the client's address; IPv6 by /64


@dataclass(frozen=True, slots=True)
class Tier:
    """One limit. `is_slowed`: from half of it on, answers are held back a little."""

    name: str
    key: Key
    is_slowed: bool = False


GENERAL = Tier("general", Key.SUBJECT, is_slowed=True)
ADDRESS = Tier("address", Key.ADDRESS)  # wide: a whole office stands behind one address
REGISTER = Tier("register", Key.ADDRESS)
PAGES = Tier("pages", Key.ADDRESS)

# First match wins: method ("" is any) and the path or its first segments. No tiers: never limited here.
_TABLE: tuple[tuple[str, str, tuple[Tier, ...]], ...] = (
    ("", "/health", ()),
    ("", "/metrics", ()),
    ("", "/static/", (ADDRESS,)),
    ("POST", "/api/auth/register", (REGISTER, ADDRESS)),
    # Refused, these sign a person out or keep them out, so neighbours must not matter: only the wide tier counts them.
    # What somebody guesses there is counted by the lock-out.
    ("POST", "/api/auth/login", (ADDRESS,)),
    ("POST", "/api/auth/refresh", (ADDRESS,)),
    ("", "/api/", (GENERAL, ADDRESS)),
    ("", "/", (PAGES, ADDRESS)),
)
_ROWS = [(method, start, f"{start.rstrip('/')}/", tiers) for method, start, tiers in _TABLE]


def tiers_of(method: str | None, path: str) -> tuple[Tier, ...]:
    """The tiers a request counts against."""
    for wanted, start, below, tiers in _ROWS:
        if wanted in ("", method) and (path == start or path.startswith(below)):
            return tiers
    return ()
