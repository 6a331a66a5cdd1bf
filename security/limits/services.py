"""Counts one request against its tiers, and says what is left."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django_ratelimit.core import EXPIRATION_FUDGE, get_usage
from redis.exceptions import RedisError

from security.audit import Action, record_refusal, windows
from security.breaker import breaker
from security.client_ip import network_of
from security.context import current
from security.errors import RateLimited
from security.errors.documents import problem_response
from security.limits.counting import CollectingCache, Wanted, local_counters, shared_counters
from security.limits.parking import hold_back
from security.limits.signals import limit_reached
from security.limits.tiers import Key, Tier
from security.stored_headers import Stored

logger = logging.getLogger(__name__)


class Usage(NamedTuple):  # of each request two: a frozen dataclass takes four times as long to make
    """One tier after this request: `counted` of `limit` in a window of `window_seconds` that ends in `seconds_left`.

    `key` names the counter.
    """

    tier: Tier
    key: str
    counted: int
    limit: int
    window_seconds: int
    seconds_left: int

    @property
    def left(self) -> int:
        """How many more requests may come."""
        return max(0, self.limit - self.counted)


_left = attrgetter("left")


class Spent(NamedTuple):
    """What one request cost. `is_there` answers the question that travelled along; None where nobody was asked."""

    usages: tuple[Usage, ...]
    is_there: bool | None

    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit of the tier with the least left (draft-ietf-httpapi-ratelimit-headers-10)."""
        return dict(self.stored_headers().values())

    def stored_headers(self) -> Stored:
        """The same, as `security.stored_headers` puts them."""
        if not self.usages:
            return {}
        least = min(self.usages, key=_left)
        policy = f'"{least.tier.name}";q={least.limit};w={least.window_seconds}'
        usage = f'"{least.tier.name}";r={least.left};t={least.seconds_left}'
        return {"ratelimit-policy": ("RateLimit-Policy", policy), "ratelimit": ("RateLimit", usage)}


def spend(request: HttpRequest, tiers: Sequence[Tier], *, subject: str = "", asked: str = "") -> Spent:
    """Count `request` against `tiers`, and ask in the same round trip whether the key `asked` is in the cache.

    `subject` is whom the request is proven to come from, "" for nobody; where `asked` is there, it counts as nobody's.
    Counters are Redis' where it is shared, else of this process; while Redis is away, each process allows its share of
    the limit. Refuses nobody: see `answer_over_limit`.
    """
    address = network_of(current().client.address)
    now = int(time.time())
    open_windows = [
        _window(request, tier, subject if subject and tier.key is Key.SUBJECT else address, now) for tier in tiers
    ]
    limits = [window.limit for window in open_windows]
    counts, is_there, share = _count([window.wanted for window in open_windows], limits, asked=asked)
    if counts is None:
        # A session that was ended must not spend the limit of its owner: who holds its token may be a thief.
        return spend(request, tiers)._replace(is_there=True)
    usages = [
        Usage(tier, window.key, count, max(1, window.limit // share), window.seconds, window.seconds_left(now))
        for tier, window, count in zip(tiers, open_windows, counts, strict=True)
    ]
    return Spent(tuple(usages), is_there)


@dataclass(frozen=True, slots=True)
class _Window:
    """One counter, as django-ratelimit names it: `limit` in `seconds`; at the Unix time `ends` another has begun."""

    wanted: Wanted
    limit: int
    seconds: int
    ends: int

    @property
    def key(self) -> str:
        """The name of the counter."""
        return self.wanted[0]

    def seconds_left(self, now: int) -> int:
        """Who waits so long is in the next window; `now` may be of a second before this one was found."""
        return min(self.seconds, max(1, self.ends - now))


_REMEMBERED = 4096
_windows: dict[tuple[str, str, str], _Window] = {}


def _window(request: HttpRequest, tier: Tier, value: str, now: int) -> _Window:
    # The library's answer stays the same until the window ends; making it anew was a third of what limits cost.
    rate: str = settings.RATE_LIMITS[tier.name]
    known = _windows.get((tier.name, value, rate))
    if known is not None and 0 < known.ends - now <= known.seconds:
        return known
    with cast(CollectingCache, caches["counters"]).collecting() as wanted:
        found = get_usage(request, group=tier.name, key=lambda *_: value, rate=rate, increment=True)
    usage, [(key, life)] = cast(dict[str, Any], found), wanted
    # The library's last second is still of this window. It asked the clock after `now`: a second too many harms nobody.
    ends = int(time.time()) + usage["time_left"] + 1
    window = _Window((key, life), usage["limit"], life - EXPIRATION_FUDGE, ends)
    if len(_windows) >= _REMEMBERED:
        _windows.clear()
    _windows[tier.name, value, rate] = window
    return window


def _count(wanted: list[Wanted], limits: list[int], *, asked: str) -> tuple[list[int] | None, bool | None, int]:
    """Counts, the answer to `asked`, and how many processes share the limit. No counts: `asked` is there."""
    if not settings.IS_CACHE_SHARED:
        if asked and caches["security"].get(asked) is not None:
            return None, True, 1
        return local_counters.count(wanted, limits), False if asked else None, 1
    if not breaker.is_open():
        try:
            counts = shared_counters.count(wanted, asked=asked)
        except RedisError as error:
            breaker.failed()
            logger.warning("limit_counters_unavailable", extra={"error": type(error).__name__})
        else:
            breaker.succeeded(is_found=counts is None if asked else None)
            if counts is not None:
                local_counters.learn(wanted, limits, counts, share=settings.WEB_WORKERS)
            return counts, counts is None, 1
    return local_counters.count(wanted, limits, share=settings.WEB_WORKERS), False, settings.WEB_WORKERS


def answer_over_limit(request: HttpRequest, spent: Spent) -> HttpResponse | None:
    """The 429 for a tier that is used up, or for one too many to hold back; None for whoever may go on."""
    try:
        refuse(spent)
        slow_down(spent)
    except RateLimited as refusal:
        return problem_response(refusal, request)
    return None


def refuse(spent: Spent) -> None:
    """Raises RateLimited where a tier is used up; marks it once a client, tier and minute."""
    over = [usage for usage in spent.usages if usage.counted > usage.limit]
    if over:
        longest = max(over, key=lambda usage: usage.seconds_left)
        raise _refusal(longest, spent, retry_after=longest.seconds_left)


def _refusal(usage: Usage, spent: Spent, *, retry_after: int) -> RateLimited:
    limit_reached.send_robust(sender=None, scope=usage.tier.name, decision="refused")
    repeats = windows.repeats_to_tell(current().client.address, f"RATE_LIMITED:{usage.tier.name}")
    if repeats is not None:
        data = {"tier": usage.tier.name, "limit": usage.limit, "repeats": repeats}
        record_refusal(Action.REQUEST_RATE_REFUSED, data=data)
    return RateLimited(retry_after=retry_after, headers=spent.headers())


_STEP_SECONDS = 0.01
_LONGEST_SECONDS = 0.5


def slow_down(spent: Spent) -> None:
    """Hold back who has used more than half of a slowed tier: 10 ms for each request beyond it, at most 0.5 s.

    Raises RateLimited with a short Retry-After where an earlier answer to the same client is held back still.
    """
    for usage in spent.usages:
        beyond = usage.counted - usage.limit // 2
        if usage.tier.is_slowed and beyond > 0:
            seconds = min(_LONGEST_SECONDS, beyond * _STEP_SECONDS)
            if not hold_back(seconds, whom=usage.key):
                raise _refusal(usage, spent, retry_after=min(10, usage.seconds_left))
            if settings.SLOW_DOWN:
                limit_reached.send_robust(sender=None, scope=usage.tier.name, decision="slowed")
            return
