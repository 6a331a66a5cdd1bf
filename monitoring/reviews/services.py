"""Makes the review of a week from the roll-ups, names what changed beside each regression, keeps it and mails it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Q, Sum
from django.utils import timezone

from monitoring.database import RecordedStatement
from monitoring.metrics import metrics
from monitoring.reviews.comparing import Buckets, RouteWeek, compare
from monitoring.reviews.models import PerformanceReview
from monitoring.reviews.wording import plain_text, subject_line
from monitoring.rollups import BEATS, MetricPoint, fold_rollups
from monitoring.rollups.selecting import labels_in
from security.outbox import OutboxMessage, enqueue

KIND = "performance_review"
WEEKS_BEFORE = 4
_WEEK = timedelta(days=7)
_DURATIONS = "kf_http_request_duration_seconds"
_MOST_ROUTES, _MOST_STATEMENTS = 100, 3


class NothingCounted(LookupError):  # noqa: N818 - named for what it is
    """No request was counted in that week."""


def last_week(now: datetime) -> date:
    """The Monday (UTC) of the last week that is over."""
    today = now.astimezone(UTC).date()
    return today - timedelta(days=today.weekday() + 7)


def make_review(week: date) -> PerformanceReview:
    """Make and keep the review of the week from the Monday `week` on; one that was there is made anew.

    Raises NothingCounted, and ValueError for a day that is no Monday, or a week that is not over: kept, its half would
    stand for the whole.
    """
    if week.weekday():
        raise ValueError(f"{week} is no Monday")
    if week > last_week(timezone.now()):
        raise ValueError(f"the week of {week} is not over")
    # The week's last hours may wait in finer points: for seconds, or for as long as nobody ran the schedule.
    fold_rollups()
    start = datetime.combine(week, time(), UTC)
    routes = compare(
        _counted(start, start + _WEEK),
        _counted(start - WEEKS_BEFORE * _WEEK, start),
        bounds=metrics().bounds[_DURATIONS],
    )
    if not routes:
        raise NothingCounted(f"no request was counted in the week of {week}")
    document = {
        "routes": [_route(one, start) for one in routes[:_MOST_ROUTES]],
        "requests": sum(one.requests for one in routes),
        "releases": _releases(start),
    }
    made = {"made_at": timezone.now(), "document": document}
    review, _ = PerformanceReview.objects.update_or_create(week=week, defaults=made)
    return review


def review_on_schedule(now: datetime | None = None) -> int:
    """Make the review of the week that is over, once, and mail it to the operators; how many mails that made.

    One that was made by hand before is not mailed yet.
    """
    week = last_week(now or timezone.now())
    over = datetime.combine(week, time(), UTC) + _WEEK
    is_mailed = OutboxMessage.objects.filter(kind=KIND, created_at__gte=over).exists() or not settings.ALERT_MAIL_TO
    if is_mailed and PerformanceReview.objects.filter(pk=week).exists():
        return 0
    with transaction.atomic():
        try:
            review = make_review(week)
        except NothingCounted:
            return 0
        words = {"subject": subject_line(review), "body": plain_text(review)}
        for to in settings.ALERT_MAIL_TO:
            enqueue(channel="mail", kind=KIND, subject=None, payload={**words, "to": to})
    return len(settings.ALERT_MAIL_TO)


def _counted(start: datetime, end: datetime) -> Buckets:
    points = MetricPoint.objects.filter(
        series__name=f"{_DURATIONS}_bucket", step=3600, at__gte=start.timestamp(), at__lt=end.timestamp()
    )
    rows = points.order_by().values_list("series__labels").annotate(Sum("value"))
    return {labels_in(labels): total for labels, total in rows}


def _route(one: RouteWeek, start: datetime) -> dict[str, Any]:
    said: dict[str, Any] = {
        "method": one.method,
        "route": one.route,
        "requests": one.requests,
        "failed": one.failed,
        "p95": one.p95_ms,
        "before": one.p95_before_ms,
        "regression": one.is_regression,
    }
    return said | ({"statements": _statements(one.route, start)} if one.is_regression else {})


def _statements(route: str, start: datetime) -> list[dict[str, Any]]:
    """Of this route, those whose plan changed in that week or since, or that were new, slow or repeated."""
    suspects = Q(plan_changed_at__gte=start) | Q(first_seen_at__gte=start) | Q(slow_calls__gt=0) | Q(repeats__gt=0)
    rows = RecordedStatement.objects.filter(suspects, route=route, last_seen_at__gte=start).order_by("-total_ms")
    return [
        {
            "fingerprint": row.fingerprint,
            "text": row.text[:300],
            "mean": round(row.mean_ms, 1),
            "planChanged": bool(row.plan_changed_at and row.plan_changed_at >= start),
            "new": row.first_seen_at >= start,
            "repeats": row.repeats,
        }
        for row in rows[:_MOST_STATEMENTS]
    ]


def _releases(start: datetime) -> list[dict[str, str]]:
    """The releases that first served in that week, with the hour of it (UTC)."""
    beats = MetricPoint.objects.filter(series__name=BEATS, step=3600, at__lt=(start + _WEEK).timestamp())
    firsts: dict[str, float] = {}
    for labels, at in beats.order_by().values_list("series__labels").annotate(Min("at")):
        version = dict(labels_in(labels)).get("version")
        if version:
            firsts[version] = min(at, firsts.get(version, at))
    inside = sorted((at, version) for version, at in firsts.items() if at >= start.timestamp())
    return [{"version": version, "since": datetime.fromtimestamp(at, UTC).isoformat()} for at, version in inside]
