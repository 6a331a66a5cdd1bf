"""Series without routes, added up from those that have them: few enough to be kept by the day and drawn at once. Pure.

A year of a histogram by route is millions of points; what a person looks at first is all routes together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from monitoring.rollups.selecting import Key, Labels

# Whatever begins so is kept by the day too, as are gauges.
PREFIX = "kf_sum_"


@dataclass(frozen=True, slots=True)
class Sum:
    """`name` is all series of `of` that have `having`, added up but for `by`. Source: a closed list of metrics."""

    name: str
    of: str
    by: tuple[str, ...] = ()
    having: Labels = ()


REQUESTS = Sum(f"{PREFIX}requests", of="kf_http_request_duration_seconds_bucket", by=("status_class",))
DURATIONS = Sum(f"{PREFIX}durations", of="kf_http_request_duration_seconds_bucket", by=("le",))
SIGN_INS = Sum(f"{PREFIX}sign_ins", of="kf_auth_attempts_total", by=("outcome",), having=(("flow", "login"),))
REFUSALS = Sum(f"{PREFIX}refusals", of="kf_refusals_total")
HASH_QUEUE = Sum(f"{PREFIX}hash_queue", of="kf_password_hash_queue_seconds_bucket", by=("le",))
STATEMENTS = Sum(f"{PREFIX}statements", of="kf_db_query_duration_seconds_bucket")
STATEMENT_SECONDS = Sum(f"{PREFIX}statement_seconds", of="kf_db_query_duration_seconds_sum")
SUMS = (REQUESTS, DURATIONS, SIGN_INS, REFUSALS, HASH_QUEUE, STATEMENTS, STATEMENT_SECONDS)


def summed(added: Mapping[Key, float]) -> dict[Key, float]:
    """What `added` comes to in each of SUMS."""
    found: dict[Key, float] = {}
    for key, value in added.items():
        for total in _BY_SOURCE.get(key.name, ()):
            if set(key.labels).issuperset(total.having):
                into = Key(total.name, tuple(pair for pair in key.labels if pair[0] in total.by))
                found[into] = found.get(into, 0.0) + value
    return found


_BY_SOURCE: dict[str, list[Sum]] = {}
for _total in SUMS:
    _BY_SOURCE.setdefault(_total.of, []).append(_total)
