"""What the panels say, counted by the product's own counters and folded by its own schedule."""

from datetime import UTC, datetime, timedelta

from django.test import TransactionTestCase

from monitoring.dashboard import PERIODS, SESSIONS, panels
from monitoring.metrics import metrics
from monitoring.rollups import Flusher, fold_rollups, keep_gauges
from tests.monitoring.dashboard.history import fill
from tests.monitoring.metrics.counting import CountingMixin

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Counted(CountingMixin, TransactionTestCase):
    """The same numbers in every period that reaches back to them."""

    def count(self, at: datetime) -> None:
        flusher = Flusher(role="server", clock=lambda: at)
        for route, status, seconds in (("/a", 200, 0.02), ("/b", 200, 0.02), ("/a", 404, 0.02), ("/b", 503, 3)):
            metrics().request_answered(method="GET", route=route, status=status, seconds=seconds)
        for flow, outcome in (
            ("login", "success"),
            ("login", "refused"),
            ("login", "refused"),
            ("registration", "success"),
        ):
            metrics().auth_attempts.labels(flow, outcome).inc()
        metrics().refused("BUSY")
        metrics().statements_ran(alias="default", operation="SELECT", by_bucket=[0, 4] + [0] * 12, seconds=0.008)
        flusher.work()
        keep_gauges({SESSIONS: 7}, at=at)
        fold_rollups(at)

    def values(self, slug: str, now: datetime) -> dict[str, dict[str, list[float]]]:
        """Of each panel the values of its lines that are known and not 0."""
        return {
            panel.slug: {line.name: [value for value in line.values if value] for line in panel.lines}
            for panel in panels(PERIODS[slug], now)
        }

    def test_each_period_shows_what_was_counted_once(self):
        self.count(NOON)
        for slug, period in PERIODS.items():
            with self.subTest(slug):
                now = NOON + timedelta(seconds=5)
                start = int(now.timestamp()) - int(now.timestamp()) % period.width
                seconds = int(now.timestamp()) - start
                found = self.values(slug, now)
                self.assertEqual(found["requests"]["answered"], [4 / seconds])
                self.assertEqual(found["errors"]["failed"], [25.0])
                self.assertAlmostEqual(found["durations"]["p50"][0], 20, delta=5)
                self.assertGreater(found["durations"]["p99"][0], 2500)
                self.assertEqual(found["sign-ins"], {"signed in": [60 / seconds], "refused": [120 / seconds]})
                self.assertEqual(found["refusals"]["refused"], [60 / seconds])
                self.assertEqual(found["sessions"]["alive"], [7])
                self.assertAlmostEqual(found["statement-mean"]["mean"][0], 2)

    def test_what_is_counted_once_a_minute_is_a_line_within_the_hour_and_ends_with_the_counting(self):
        for minutes in range(3):
            keep_gauges({SESSIONS: 7 + minutes}, at=NOON + timedelta(minutes=minutes))
        [line] = next(p for p in panels(PERIODS["1h"], NOON + timedelta(minutes=10)) if p.slug == "sessions").lines
        first = line.values.index(7)
        self.assertEqual(line.values[first : first + 9], [7, 7, 8, 8, 9, 9, 9, None, None])

    def test_what_is_too_old_is_in_the_longer_periods_alone(self):
        self.count(NOON)
        later = NOON + timedelta(days=2)
        fold_rollups(later)
        self.assertEqual(
            [bool(self.values(slug, later)["requests"]["answered"]) for slug in PERIODS], [False, False, True, True]
        )

    def test_a_year_ends_and_its_days_go(self):
        self.count(NOON)
        fold_rollups(NOON + timedelta(days=402))
        self.assertEqual(self.values("400d", NOON)["requests"]["answered"], [])

    def test_nothing_counted_is_no_fault_and_no_zero_percent(self):
        self.assertEqual(self.values("1h", NOON)["errors"], {"failed": []})

    def test_two_statements_however_long_the_period(self):
        fill(NOON)
        for period in PERIODS.values():
            with self.subTest(period.slug), self.assertNumQueries(2):
                panels(period, NOON)
