"""Adds what processes counted, folds it as it grows old, and deletes what is too old. The SQL of the roll-ups is here.

Ten seconds are kept for an hour, minutes for a day, hours for 400 days, and so are days of what has no route.
Folding sets what it computes, so that it may
run twice, be missed, or be killed: the next run makes up for it.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connections, router, transaction
from django.db.models import Max, Min
from django.utils import timezone

from monitoring.rollups.models import MAX_LABELS, Kind, MetricDay, MetricPoint, MetricSeries
from monitoring.rollups.selecting import Key
from monitoring.rollups.summing import PREFIX

logger = logging.getLogger("monitoring.rollups")

# Seconds of an interval → for how many seconds its points are kept.
KEPT_SECONDS = {10: 3600, 60: 24 * 3600, 3600: 400 * 24 * 3600}
FINEST, HOUR, DAY = 10, 3600, 24 * 3600
# Two processes of the largest kind have fewer; a fault that makes labels without end must not fill the disk.
MAX_SERIES = 20_000

_ADD = """
INSERT INTO metric_point (series_id, step, at, value) VALUES (%s, %s, %s, %s)
ON CONFLICT (series_id, step, at) DO UPDATE SET value = metric_point.value + excluded.value
"""
_RAISE = """
INSERT INTO metric_point (series_id, step, at, value) VALUES (%s, %s, %s, %s)
ON CONFLICT (series_id, step, at) DO UPDATE SET value =
    CASE WHEN excluded.value > metric_point.value THEN excluded.value ELSE metric_point.value END
"""
# In the order of the keys: two that fold at once must not wait for each other.
_FOLD = """
INSERT INTO metric_point (series_id, step, at, value)
SELECT series_id, step, start, CASE WHEN kind = 'max' THEN MAX(value) ELSE SUM(value) END
FROM (
    SELECT p.series_id, p.value, s.kind, %s AS step, p.at - p.at %% %s AS start
    FROM metric_point p JOIN metric_series s ON s.id = p.series_id
    WHERE p.step = %s AND p.at >= %s
) AS finer
GROUP BY series_id, step, start, kind
ORDER BY series_id, start
ON CONFLICT (series_id, step, at) DO UPDATE SET value = excluded.value
"""
# Of the few series that have no route, by days: a year of them is drawn at once.
_FOLD_DAYS = """
INSERT INTO metric_day (series_id, at, value)
SELECT series_id, start, CASE WHEN kind = 'max' THEN MAX(value) ELSE SUM(value) END
FROM (
    SELECT p.series_id, p.value, s.kind, p.at - p.at %% %s AS start
    FROM metric_point p JOIN metric_series s ON s.id = p.series_id
    WHERE p.step = %s AND p.at >= %s AND (s.kind = 'max' OR s.name LIKE %s ESCAPE '!')
) AS finer
GROUP BY series_id, start, kind
ORDER BY series_id, start
ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value
"""


class SeriesIds:
    """The rows' ids of series, remembered by one writer."""

    def __init__(self) -> None:
        self._known: dict[Key, int] = {}
        self._is_full = False
        self._too_long: set[str] = set()  # names

    def forget(self) -> None:
        """Look them all up again: rows may be gone."""
        self._known.clear()

    def of(self, keys: Iterable[Key], kind: Kind) -> dict[Key, int]:
        """Id of each; made where there is none. Left out where its labels are too long, or MAX_SERIES are there."""
        wanted = set(keys)
        missing = {key: labels for key in wanted - self._known.keys() if (labels := self._labels(key))}
        if missing:
            self._learn(missing)
            unknown = [(key, labels) for key, labels in missing.items() if key not in self._known]
            if unknown and self._has_room(len(unknown)):
                rows = [MetricSeries(name=key.name, labels=labels, kind=kind) for key, labels in unknown]
                MetricSeries.objects.bulk_create(rows, ignore_conflicts=True)
                self._learn(dict(unknown))
        return {key: self._known[key] for key in wanted if key in self._known}

    def _learn(self, missing: Mapping[Key, str]) -> None:
        by_text = {(key.name, labels): key for key, labels in missing.items()}
        names = {key.name for key in missing}
        for pk, name, labels in MetricSeries.objects.filter(name__in=names).values_list("pk", "name", "labels"):
            if (name, labels) in by_text:
                self._known[by_text[name, labels]] = pk

    def _labels(self, key: Key) -> str:
        labels = json.dumps(key.labels, separators=(",", ":"))
        if len(labels) <= MAX_LABELS:
            return labels
        # Cut, it would be no JSON, and one with whatever else begins so.
        if key.name not in self._too_long:
            self._too_long.add(key.name)
            logger.error("rollup_labels_too_long", extra={"series": key.name, "most": MAX_LABELS})
        return ""

    def _has_room(self, more: int) -> bool:
        is_full = MetricSeries.objects.count() + more > MAX_SERIES
        if is_full and not self._is_full:
            logger.error("rollup_series_full", extra={"most": MAX_SERIES})
        self._is_full = is_full
        return not is_full


def add(added: Mapping[Key, float], peaks: Mapping[Key, float], *, at: datetime, ids: SeriesIds) -> None:
    """Add `added` to the ten seconds of `at`, and raise them to `peaks`; all or nothing. Raises DatabaseError."""
    using = router.db_for_write(MetricPoint)
    with transaction.atomic(using=using):
        for values, kind, statement in ((added, Kind.SUM, _ADD), (peaks, Kind.MAX, _RAISE)):
            found = ids.of(values, kind)
            start = _floor(at, FINEST)
            # Sorted: two processes that add to the same rows must take them in one order.
            rows = sorted((pk, FINEST, start, values[key]) for key, pk in found.items())
            if rows:
                with connections[using].cursor() as cursor:
                    cursor.executemany(statement, rows)


def keep_gauges(values: Mapping[str, float], *, at: datetime) -> None:
    """Keep what was measured in one place for all, by name; the largest of ten seconds stays. Raises DatabaseError."""
    add({}, {Key(name, ()): value for name, value in values.items()}, at=at, ids=SeriesIds())


def series_part() -> float:
    """How many series are kept, as a part of MAX_SERIES: at 1 what is new is not kept any more."""
    return MetricSeries.objects.count() / MAX_SERIES


def fold_rollups(now: datetime | None = None) -> int:
    """Fold what came since the last time into minutes and hours, delete what is too old; how many points that was."""
    at = int((now or timezone.now()).timestamp())
    using = router.db_for_write(MetricPoint)
    deleted = 0
    with transaction.atomic(using=using):
        for finer, coarser in ((10, 60), (60, 3600)):
            points = MetricPoint.objects.using(using)
            # Up to now: a clock that was ahead once must not hold up all until then.
            last = points.filter(step=coarser, at__lte=at).aggregate(last=Max("at"))["last"]
            if last is None:
                last = points.filter(step=finer).aggregate(first=Min("at"))["first"]
            if last is None:
                continue
            # From the interval before: it was not over when it was folded.
            since = last - last % coarser - coarser
            with connections[using].cursor() as cursor:
                cursor.execute(_FOLD, [coarser, coarser, finer, since])
        _fold_days(using, at)
        oldest_day = at - KEPT_SECONDS[HOUR]
        MetricDay.objects.using(using).filter(at__lt=oldest_day - oldest_day % DAY).delete()
        for step, seconds in KEPT_SECONDS.items():
            count, _ = points.filter(step=step, at__lt=at - seconds).delete()
            deleted += count
    return deleted


def _fold_days(using: str, at: int) -> None:
    last = MetricDay.objects.using(using).filter(at__lte=at).aggregate(last=Max("at"))["last"]
    since = 0 if last is None else last - DAY
    with connections[using].cursor() as cursor:
        cursor.execute(_FOLD_DAYS, [DAY, HOUR, since, f"{PREFIX.replace('_', '!_')}%"])


def _floor(moment: datetime, step: int) -> int:
    seconds = int(moment.timestamp())
    return seconds - seconds % step
