"""Rules about what the product counts of itself: from the counter that counts it, by a flush, to the alert."""

import logging
import sys
from datetime import timedelta
from unittest.mock import patch

from django.db import connection

from monitoring.alerts import RULES, Family
from monitoring.errors.collector import collector
from monitoring.errors.models import ErrorGroup, ErrorState
from monitoring.errors.store import flush_errors
from monitoring.metrics import metrics, registry
from monitoring.metrics.registry import QUERY_BUCKETS
from monitoring.rollups.counting import differences, totals
from monitoring.rollups.models import MetricDay, MetricSeries
from security.breaker import Breaker
from tests.monitoring.alerts.cases import AlertCase, named, without
from tests.monitoring.alerts.runbooks import statements

_FAST = [1000] + [0] * len(QUERY_BUCKETS)


class Counted(AlertCase):
    rules = without(Family.SECURITY)

    def setUp(self):
        super().setUp()
        # Its own, and empty: reading what a thousand tests before this one counted takes a tenth of a second each time.
        own = patch.object(registry._process, "metrics", registry.Metrics())
        own.start()
        self.addCleanup(own.stop)
        self.brought = totals()

    def look(self, seconds=15, *, every=15, act=lambda: None):
        """What fires after `seconds` in which `act` was done before each evaluation."""

        def each():
            act()
            self.flush()

        self.steps(seconds, every=every, each=each)
        return self.firing()

    def flush(self):
        """What the thread that flushes does, in this one, which holds the test's transaction."""
        counted = totals()
        self.bring(differences(counted, self.brought))
        self.brought = counted


class Groups(Counted):
    """A failure is told when it is new, and when it came back; not when it merely goes on."""

    rules = named("error_new", "error_returned", "errors_dropped", "server_errors")

    def setUp(self):
        super().setUp()
        collector.forget()
        self.addCleanup(collector.forget)

    def raise_one(self):
        try:
            1 / 0  # noqa: B018 - for its exception
        except ZeroDivisionError:
            error = sys.exc_info()
        line = logging.LogRecord("security.errors", logging.ERROR, __file__, 1, "request_failed", (), error)
        line.created = self.now.timestamp()
        collector.handle(line)
        flush_errors()

    def test_new_then_known_then_back(self):
        self.raise_one()
        self.assertEqual(self.look(), {"error_new"})
        self.assertEqual(self.look(900, every=60), set())
        self.raise_one()
        self.assertEqual(self.look(), set())
        ErrorGroup.objects.update(state=ErrorState.RESOLVED, state_changed_at=self.now)
        self.now += timedelta(seconds=1)
        self.raise_one()
        self.assertEqual(self.look(), {"error_returned"})

    def test_more_kinds_than_are_kept(self):
        with patch("monitoring.errors.collector.MOST_WAITING", 0):
            self.raise_one()
        self.assertEqual(self.look(60), {"errors_dropped"})


class Statements(Counted):
    """Slow ones among all, and those that requests repeat."""

    rules = named("slow_statements", "n_plus_one", "pool_waiting", "server_errors", "error_budget_fast")

    def run_statements(self, slow):
        counted = metrics()
        counted.statements_ran(alias="default", operation="select", by_bucket=_FAST, seconds=1.0)
        counted.db_slow_queries.labels("default").inc(slow)

    def test_a_burst_of_slow_ones(self):
        self.assertEqual(self.look(300, every=60, act=lambda: self.run_statements(9)), set())
        self.assertEqual(self.look(300, every=60, act=lambda: self.run_statements(20)), {"slow_statements"})

    def ask_in_loops(self, times):
        for _ in range(100):
            metrics().request_answered(method="GET", route="/api/auth/sessions", status=200, seconds=0.01)
        metrics().db_n_plus_one.labels("/api/auth/sessions").inc(times)

    def test_repeated_ones(self):
        self.assertEqual(self.look(600, every=60, act=lambda: self.ask_in_loops(4)), set())
        self.assertEqual(self.look(600, every=60, act=lambda: self.ask_in_loops(10)), {"n_plus_one"})


class Pool(Counted):
    """Some wait, or all give up; the worse mutes the other."""

    rules = named("pool_waiting", "pool_exhausted", "slow_statements", "server_errors", "error_budget_fast")

    def wait(self, seconds):
        metrics().db_pool_wait.labels("default").inc(seconds)

    def test_a_second_in_a_minute_is_nothing(self):
        self.assertEqual(self.look(300, act=lambda: self.wait(0.25)), set())

    def test_waiting(self):
        self.assertEqual(self.look(150, act=lambda: self.wait(2)), {"pool_waiting"})

    def test_exhausted(self):
        self.assertEqual(self.look(150, act=lambda: self.wait(16)), {"pool_waiting", "pool_exhausted"})
        self.assertEqual(self.queued(), [("alert.firing", ["pool_exhausted"])])


class Threads(Counted):
    """Those beside the requests: a fault of ours is told, a database that is away is not told a second time."""

    rules = named("threads_failing")

    def fails(self, cause):
        return lambda: metrics().thread_failures.labels("rollups", cause).inc()

    def test_three_rounds_by_a_fault(self):
        self.assertEqual(self.look(30, act=self.fails("fault")), set())
        self.assertEqual(self.look(30, act=self.fails("fault")), {"threads_failing"})

    def test_the_database(self):
        self.assertEqual(self.look(120, act=self.fails("database")), set())


class Cache(Counted):
    """A cache that is away is told of within a minute or so; one that missed a beat is not."""

    rules = named("cache_errors", "rules_not_evaluated", "server_errors", "error_budget_fast")

    def test_three_errors_are_nothing(self):
        broken = Breaker()
        for _ in range(3):
            broken.failed()
        self.assertEqual(self.look(60), set())

    def test_a_process_that_finds_it_away_again_and_again(self):
        broken = Breaker()
        self.assertEqual(self.look(75, act=lambda: [broken.failed() for _ in range(3)]), {"cache_errors"})

    def test_a_selector_that_does_too(self):
        broken = Breaker()
        failed = lambda: [broken.failed(cache="company_people") for _ in range(3)]  # noqa: E731
        self.assertEqual(self.look(75, act=failed), {"cache_errors"})


class Series(Counted):
    """Counts that go under no name of their own."""

    rules = named("series_dropped", "series_full", "rules_not_evaluated", "server_errors", "error_budget_fast")

    def test_of_a_process(self):
        with patch.object(registry, "MAX_REQUEST_CHILDREN", 0):
            metrics().request_answered(method="PUT", route="/new", status=200, seconds=0.01)
        self.assertEqual(self.look(60), {"series_dropped"})

    def test_of_the_roll_ups(self):
        self.assertEqual(self.look(15), set())
        with patch("monitoring.rollups.store.MAX_SERIES", MetricSeries.objects.count()):
            self.step(300)
        self.assertEqual(self.firing(), {"series_full"})

    def test_what_the_runbook_has_you_delete(self):
        for name in ("NAME", "OTHER"):
            self.told_gauge(name, 5)
        for row in MetricSeries.objects.filter(name__in=("NAME", "OTHER")):
            MetricDay.objects.create(series=row, at=0, value=1)
        with connection.cursor() as cursor:
            for statement in statements("series_full"):
                cursor.execute(statement)
            cursor.execute("SELECT name, count(*) FROM metric_series GROUP BY 1 ORDER BY 2 DESC LIMIT 10")
            named = {name for name, _ in cursor.fetchall()}
        self.assertIn("OTHER", named)
        self.assertNotIn("NAME", named)
        self.assertEqual(MetricDay.objects.count(), 1)
        connection.check_constraints()


class Quiet(Counted):
    """A product at work, in which every counter stands still but those of requests and statements."""

    rules = RULES

    def test_it_fires_nothing(self):
        def work():
            metrics().statements_ran(alias="default", operation="select", by_bucket=_FAST, seconds=1.0)
            metrics().request_answered(method="GET", route="/api/auth/me", status=200, seconds=0.01)
            metrics().cache_answered("security", "miss")

        self.assertEqual(self.look(600, every=60, act=work), set())
        self.assertGreater(len(self.rules), 45)
