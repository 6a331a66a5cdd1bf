"""A year of invented history, as the roll-ups would have folded it, written straight into their tables."""

from datetime import datetime

from django.db import connection, transaction

from monitoring.metrics.registry import QUEUE_BUCKETS, REQUEST_BUCKETS
from monitoring.rollups import DISK_USED, MEMORY_USED
from monitoring.rollups.models import Kind
from monitoring.rollups.selecting import Key
from monitoring.rollups.store import SeriesIds


def keys() -> dict[Key, Kind]:
    """Every series that a panel looks at."""
    found = {Key("kf_sum_requests", (("status_class", f"{n}xx"),)): Kind.SUM for n in (2, 3, 4, 5)}
    for name, bounds in (("kf_sum_durations", REQUEST_BUCKETS), ("kf_sum_hash_queue", QUEUE_BUCKETS)):
        found |= {Key(name, (("le", str(bound)),)): Kind.SUM for bound in (*bounds, "+Inf")}
    found |= {Key("kf_sum_sign_ins", (("outcome", outcome),)): Kind.SUM for outcome in ("success", "refused")}
    found |= {Key(f"kf_sum_{name}", ()): Kind.SUM for name in ("refusals", "statements", "statement_seconds")}
    gauges = ("kf_sessions_alive", "kf_db_pool_used_ratio", MEMORY_USED, DISK_USED)
    return found | {Key(name, ()): Kind.MAX for name in gauges}


# By the database itself: sent row by row from here, 111,000 of them are most of what the tests of a page take.
_FILL = """
INSERT INTO {into}
WITH RECURSIVE slot (start) AS (
    SELECT CAST({first} AS bigint) UNION ALL SELECT start + {step} FROM slot WHERE start + {step} < {end}
)
SELECT {row}, CASE kind WHEN 'max' THEN (1 + sin(start / 86400.0 + id)) / 2
    ELSE round(200 + 100 * sin(start / 86400.0 + id)) END
FROM slot, metric_series WHERE id IN ({ids})
"""


def fill(now: datetime) -> int:
    """Every slot of every period full, up to `now`; how many points that is."""
    end = int(now.timestamp())
    series, ids = keys(), SeriesIds()
    known = [ids.of([key for key in series if series[key] is kind], kind) for kind in Kind]
    pks = ", ".join(str(pk) for found in known for pk in found.values())
    points = "metric_point (series_id, step, at, value)"
    count = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for into, row, step, seconds in (
            (points, "id, 10, start", 10, 3600),
            (points, "id, 60, start", 60, 86_400),
            (points, "id, 3600, start", 3600, 30 * 86_400),
            ("metric_day (series_id, at, value)", "id, start", 86_400, 400 * 86_400),
        ):
            first = end - end % step - seconds
            cursor.execute(_FILL.format(into=into, row=row, first=first, step=step, end=end, ids=pks))
            count += cursor.rowcount
    return count
