"""Invented history for the demonstration's operators' pages: a year of numbers, some statements, a review, a silence.

It is the one part of the demonstration that goes past the services: nobody can have counted a year within a minute.
The numbers are made of waves and not of chance, so that every demonstration looks the same.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from monitoring.alerts import silence, standing_silences
from monitoring.dashboard import SESSIONS
from monitoring.database import RecordedStatement
from monitoring.errors import ErrorGroup
from monitoring.reviews import last_week, make_review
from monitoring.rollups import BEATS, DISK_USED, MEMORY_USED, POOL_USED
from monitoring.rollups.models import Kind
from monitoring.rollups.selecting import Key, labels_of
from monitoring.rollups.store import DAY, FINEST, HOUR, SeriesIds
from security.operator_account import operator_name

_MINUTE = 60
# Of a hundred requests, how many fall into the bucket up to so many seconds.
_BUCKETS = (
    ("0.005", 30),
    ("0.01", 34),
    ("0.025", 20),
    ("0.05", 8),
    ("0.1", 4),
    ("0.5", 2.2),
    ("1.0", 1.4),
    ("2.5", 0.4),
)
_QUEUE = (("0.001", 90), ("0.01", 6), ("0.1", 3), ("0.25", 1))
# A route, its part of all requests, its bucket, and the one it has had for a week.
_ROUTES = (
    ("GET", "/api/auth/me", 0.6, "0.01", "0.01"),
    ("POST", "/api/auth/refresh", 0.25, "0.025", "0.025"),
    ("POST", "/api/auth/login", 0.05, "1.0", "1.0"),
    ("GET", "/api/audit/events", 0.1, "0.075", "0.5"),
)
_SLOW_ROUTE = "/api/audit/events"
# Of all requests, a fault of ours.
_FAILED = 0.0003
_PLANS = {
    "postgresql": ["Seq Scan on audit_event", "  Filter: (company = $1)"],
    "sqlite": ["SCAN audit_event", "USE TEMP B-TREE FOR ORDER BY"],
}
# As models they would cost five times as much on SQLite, twice as much on PostgreSQL.
_POINT = "INSERT INTO metric_point (series_id, step, at, value) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
_DAY = "INSERT INTO metric_day (series_id, at, value) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"


def fill_history() -> None:
    """Fill the roll-ups up to now, record statements, review last week, silence one rule. May be run again."""
    now = timezone.now()
    ids = SeriesIds()
    _fill(ids, now)
    _fill_routes(ids, now)
    _record_statements(now)
    record_failure(now)
    make_review(last_week(now))
    if not standing_silences(now):
        silence(author=operator_name(), reason="DEMO-1", until=now + timedelta(days=1), rule="long_query")


def _fill(ids: SeriesIds, now: datetime) -> None:
    end = int(now.timestamp())
    points, days = [], []
    for key, kind, of in _series():
        (pk,) = ids.of([key], kind).values()
        for step, seconds in ((FINEST, HOUR), (_MINUTE, DAY), (HOUR, 30 * DAY)):
            for at in _starts(end, step, seconds):
                points.append((pk, step, at, _value(kind, of, at, step)))
        days += [(pk, at, _value(kind, of, at, DAY)) for at in _starts(end, DAY, 400 * DAY)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(_POINT, points)
        cursor.executemany(_DAY, days)


def _starts(end: int, step: int, seconds: int) -> range:
    return range(end - end % step - seconds, end - end % step, step)


def _value(kind: Kind, of: float, at: int, step: int) -> float:
    if step == DAY:
        hours = [_value(kind, of, hour, HOUR) for hour in range(at, at + DAY, HOUR)]
        return max(hours) if kind is Kind.MAX else sum(hours)
    if kind is Kind.MAX:
        return of * (0.7 + 0.3 * _busy(at))
    return of * _busy(at) * step


@cache
def _busy(at: int) -> float:
    """How busy an office is at the Unix time `at`: by hour in India, by weekday, growing over the year; 0.02 to 1.3."""
    hour = (at / HOUR + 5.5) % 24
    by_day = math.exp(-(((hour - 14) / 4.5) ** 2))
    weekday = (at // DAY + 4) % 7  # 0 is Sunday
    by_week = 0.25 if weekday == 0 else 0.6 if weekday == 6 else 1.0
    ripple = 1 + 0.15 * math.sin(at / 97) + 0.1 * math.sin(at / 1013) + 0.1 * math.sin(at / 86_400)
    return max(0.02, by_day * by_week * ripple)


def _series() -> Iterator[tuple[Key, Kind, float]]:
    """Each series of the panels, with what it comes to a second at the busiest, or at most."""
    a_second = 6.0
    for status, part in (("2xx", 0.94), ("3xx", 0.02), ("4xx", 0.0397), ("5xx", _FAILED)):
        yield Key("kf_sum_requests", (("status_class", status),)), Kind.SUM, a_second * part
    for name, buckets, times in (("durations", _BUCKETS, a_second), ("hash_queue", _QUEUE, 0.05)):
        for bound, percent in buckets:
            yield Key(f"kf_sum_{name}", (("le", bound),)), Kind.SUM, times * percent / 100
    for outcome, times in (("success", 0.04), ("refused", 0.008)):
        yield Key("kf_sum_sign_ins", (("outcome", outcome),)), Kind.SUM, times
    for name, times in (("refusals", 0.09), ("statements", 14.0), ("statement_seconds", 0.021)):
        yield Key(f"kf_sum_{name}", ()), Kind.SUM, times
    for name, most in ((SESSIONS, 84.0), (POOL_USED, 0.55), (MEMORY_USED, 0.46), (DISK_USED, 0.41)):
        yield Key(name, ()), Kind.MAX, most


def _fill_routes(ids: SeriesIds, now: datetime) -> None:
    """Five weeks by route, of which one became slower last week, with the release of its Wednesday."""
    end = int(now.timestamp())
    since = int(datetime.combine(last_week(now), datetime.min.time(), UTC).timestamp())
    points = []
    for method, route, part, before, after in _ROUTES:
        kinds = [*(("2xx", bound, 1.0) for bound in sorted({before, after})), ("5xx", after, _FAILED)]
        for status, bound, share in kinds:
            labels = {"method": method, "route": route, "status_class": status, "le": bound}
            key = Key("kf_http_request_duration_seconds_bucket", labels_of(labels))
            (pk,) = ids.of([key], Kind.SUM).values()
            for at in _starts(end, HOUR, 42 * DAY):
                if status == "5xx" or (after if at >= since else before) == bound:
                    points.append((pk, HOUR, at, 6 * part * share * _busy(at) * HOUR))
    beat = Key(BEATS, labels_of({"role": "server", "version": settings.VERSION}))
    (pk,) = ids.of([beat], Kind.SUM).values()
    served = range(since + 2 * DAY + 6 * HOUR, end, HOUR)
    points += [(pk, HOUR, at, 720) for at in served]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(_POINT, points)


def record_failure(now: datetime) -> None:
    """A failure that somebody could have had, three times."""
    ErrorGroup.objects.get_or_create(
        fingerprint="0d3f5a7c9e1b2468",
        defaults={
            "exception": "builtins.ValueError",
            "message": "invalid literal for int() with base 10: '…'",
            "place": "accounts/audit/years.py:48 of_name",
            "traceback": ["accounts/audit/views.py:71 get", "accounts/audit/years.py:48 of_name"],
            "route": "/api/audit/events",
            "request_ids": ["5e1f0c2d9a7b4e63"],
            "count": 3,
            "first_seen_at": now - timedelta(days=9),
            "last_seen_at": now - timedelta(days=2),
            "first_release": settings.VERSION,
            "last_release": settings.VERSION,
            "state_changed_at": now - timedelta(days=9),
        },
    )


def _record_statements(now: datetime) -> None:
    audit = 'SELECT "audit_event"."id", "audit_event"."leaf" FROM "audit_event" WHERE "audit_event"."company" = $1'
    listed = f'{audit} ORDER BY "audit_event"."id" DESC LIMIT $2'
    named = 'SELECT "accounts_user"."id", "accounts_user"."name" FROM "accounts_user" WHERE "subject_id" = $1'
    rows = (
        (listed, 1840, 210.0, 96, 0, "accounts/audit/services.py:118 list_events"),
        (named, 22_080, 0.4, 0, 610, "accounts/audit/labels.py:64 with_names"),
    )
    for number, (text, calls, mean, slow, repeats, site) in enumerate(rows):
        RecordedStatement.objects.get_or_create(
            alias="default",
            fingerprint=f"demo{number:012d}",
            defaults={
                "operation": "select",
                "text": text,
                "calls": calls,
                "total_ms": calls * mean,
                "max_ms": mean * 4.2,
                "rows": 50,
                "slow_calls": slow,
                "repeats": repeats,
                "route": _SLOW_ROUTE,
                "call_site": site,
                "plan": _PLANS[connection.vendor] if slow else None,
                "planned_at": now if slow else None,
                "plan_changed_at": now - timedelta(days=4) if slow else None,
                "first_seen_at": now - timedelta(days=40),
                "last_seen_at": now,
            },
        )
