"""Every statement is counted, slow ones and runaways are told of with their place, and no value reaches anything."""

import json
from types import SimpleNamespace
from unittest.mock import patch

from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory
from django.utils import timezone

from accounts.identity.models import User
from monitoring.database import store
from monitoring.database.fingerprints import fold
from monitoring.database.models import RecordedStatement
from monitoring.database.plans import plan_slow_statements
from monitoring.database.pool import publish_pool
from monitoring.database.recorder import Recorder, StatementRepeated, tallied
from monitoring.logs import JsonFormatter
from monitoring.metrics.registry import metrics
from monitoring.requests.slow import LEAST_KEPT
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import asha
from tests.monitoring.database.recording import MARKER, Recording, ask


class Counting(Recording, CommittingApiTestCase):
    """Calls, time and shapes of each statement add up in one row, from all threads."""

    def test_calls_add_up_over_flushes(self):
        for _ in range(3):
            ask()
        store.flush()
        ask()
        store.flush()
        row = self.row("accounts_user", "email", "=")
        self.assertEqual((row.calls, row.operation, row.alias), (4, "select", "default"))
        self.assertGreater(row.total_ms, row.max_ms)
        self.assertEqual(row.shapes[0], {"kind": "text"})

    def test_threads_are_counted_exactly(self):
        self.in_parallel(4, lambda _: [ask() for _ in range(50)])
        store.flush()
        self.assertEqual(self.row("accounts_user", "email", "=").calls, 200)

    def test_what_fails_is_counted_too(self):
        with self.assertRaises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere WHERE a = %s", [MARKER])
        store.flush()
        self.assertEqual(self.row("nowhere").calls, 1)

    def test_the_histogram_has_each_statement_once(self):
        def count() -> float:
            samples = (s for family in metrics().registry.collect() for s in family.samples)
            return sum(
                s.value
                for s in samples
                if s.name == "kf_db_query_duration_seconds_count"
                and s.labels == {"alias": "default", "operation": "select"}
            )

        store._publish(self.recorder)
        before = count()
        ask()
        ask()
        store._publish(self.recorder)
        store._publish(self.recorder)
        self.assertEqual(count() - before, 2)

    def test_memory_is_bounded(self):
        with (
            patch("monitoring.database.recorder.MAX_STATEMENTS", 3),
            patch("monitoring.database.recorder.MAX_TEXTS", 3),
            connection.cursor() as cursor,
        ):
            for n in range(20):
                cursor.execute(f"SELECT 1 AS a{n}")
        self.assertLessEqual(len(self.recorder.statements), 4)
        self.assertLessEqual(len(self.recorder._by_text), 3)

    def test_connections_in_use_are_told(self):
        publish_pool()
        told = metrics().db_pool_connections.labels("default", "used")._value.get()
        connection.close()
        publish_pool()
        self.assertEqual(metrics().db_pool_connections.labels("default", "used")._value.get(), told - 1)

    def test_every_connection_of_every_thread_has_one_recorder(self):
        def count(_: int) -> int:
            connection.close()
            connection.ensure_connection()
            connection.close()
            connection.ensure_connection()
            return sum(isinstance(wrapper, Recorder) for wrapper in connection.execute_wrappers)

        self.assertEqual(self.in_parallel(3, count), [1, 1, 1])

    def test_a_statement_that_cannot_be_counted_is_answered_all_the_same(self):
        with (
            patch("monitoring.database.recorder.fold", side_effect=StopIteration),
            self.assertLogs("koshflow.database", "WARNING") as logs,
        ):
            self.assertFalse(User.objects.filter(email=MARKER).exists())
        self.assertEqual({(one.msg, one.error) for one in logs.records}, {("statement_not_counted", "StopIteration")})
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'a\x01b', /* a \x01 */ 1 \x01"[:-1])
            self.assertEqual(cursor.fetchone(), ("a\x01b", 1))


class SlowStatements(Recording, ApiTestCase):
    """A slow statement is one line: what it was, how long it took, where it came from; never its values."""

    def test_the_line(self):
        self.slow_from(0)
        with self.assertLogs("koshflow.database", "WARNING") as logs:
            ask()
        line = json.loads(JsonFormatter().format(logs.records[-1]))
        self.assertEqual((line["event"], line["alias"]), ("slow_query", "default"))
        self.assertIn('"accounts_user"."email" = $1', line["statement"])
        self.assertEqual(line["sql_fingerprint"], fold(line["statement"]).fingerprint)
        self.assertRegex(line["call_site"], r"^tests/monitoring/database/recording\.py:\d+ ask$")
        self.assertNotIn(MARKER, json.dumps(line))

    def test_the_line_of_a_request_names_its_route(self):
        token = self.log_in(asha())["accessToken"]
        self.slow_from(0)
        with self.assertLogs("koshflow.database", "WARNING") as logs:
            self.me(token)
        # A health probe that an earlier test began may be at work in its own thread.
        routes = {record.route for record in logs.records if not record.call_site.startswith("monitoring/health/")}
        self.assertEqual(routes, {"/api/auth/me"})

    def test_a_fast_one_leaves_none(self):
        self.slow_from(60_000)
        with self.assertNoLogs("koshflow.database", "WARNING"):
            ask()

    def test_one_that_takes_far_longer_than_is_usual_for_it_leaves_one_and_is_not_counted_as_slow(self):
        self.slow_from(60_000)
        before = metrics().db_slow_queries.labels("default")._value.get()

        times = [0.0]

        def run(seconds, sql="SELECT 7 FROM accounts_user"):
            context = {"cursor": SimpleNamespace(cursor=SimpleNamespace(rowcount=1))}
            self.recorder(lambda *_: times.append(times[-1] + seconds), sql, None, False, context)

        clock = patch("monitoring.database.recorder.perf_counter", lambda: times[-1])
        with clock, self.assertLogs("koshflow.database", "WARNING") as logs:
            for _ in range(LEAST_KEPT):
                run(0)
            run(0.06, "SELECT 7 FROM accounts_company")  # nobody knows what is usual there
            run(0.06)
        self.assertEqual([record.statement for record in logs.records], ["SELECT $1 FROM accounts_user"])
        self.assertEqual(metrics().db_slow_queries.labels("default")._value.get(), before)

    def test_what_steers_the_session_leaves_none(self):
        self.slow_from(0)
        with self.assertNoLogs("koshflow.database", "WARNING"), transaction.atomic():
            pass

    def test_it_is_counted(self):
        before = metrics().db_slow_queries.labels("default")._value.get()
        self.slow_from(0)
        with self.assertLogs("koshflow.database"):
            ask()
        self.assertEqual(metrics().db_slow_queries.labels("default")._value.get() - before, 1)

    def test_its_plan_is_kept_once_an_hour_and_a_change_is_told(self):
        self.slow_from(0)
        with self.assertLogs("koshflow.database"):
            ask()
        self.slow_from(60_000)
        store.flush()
        self.assertGreaterEqual(plan_slow_statements(), 1)
        row = self.row("accounts_user", "email", "=")
        self.assertTrue(row.plan and row.plan_hash, row.plan)
        self.assertEqual(plan_slow_statements(), 0)
        RecordedStatement.objects.update(planned_at=None, plan_hash="another")
        with self.assertLogs("koshflow.database", "WARNING") as logs:
            plan_slow_statements()
        self.assertEqual(logs.records[0].msg, "query_plan_changed")
        self.assertIsNotNone(self.row("accounts_user", "email", "=").plan_changed_at)

    def test_one_that_cannot_be_planned_is_told_of_and_tried_an_hour_later(self):
        now = timezone.now()
        RecordedStatement.objects.create(
            alias="default", fingerprint="f" * 16, operation="select", text="SELECT nothing FROM nowhere", calls=1,
            total_ms=1, max_ms=1, slow_calls=1, first_seen_at=now, last_seen_at=now,
        )  # fmt: skip
        with self.assertLogs("koshflow.database", "INFO") as logs:
            self.assertEqual(plan_slow_statements(now=now), 1)
        self.assertEqual([(one.msg, one.sql_fingerprint) for one in logs.records], [("query_plan_unknown", "f" * 16)])
        self.assertEqual(plan_slow_statements(now=now), 0)

    def test_planning_leaves_the_transaction_as_it_was(self):
        self.slow_from(0)
        with self.assertLogs("koshflow.database"):
            ask()
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 AS one WHERE 1 = %s", [1])
        store.flush()
        plan_slow_statements()
        self.assertTrue(User.objects.filter(email=asha().email).exists())


class Requests(Recording, ApiTestCase):
    """A request tells how many statements it ran, and one that runs the same over and over is counted."""

    def test_the_access_line_has_number_and_time(self):
        token = self.log_in(asha())["accessToken"]
        with self.assertLogs("koshflow.access", "INFO") as logs:
            self.me(token)
        self.assertEqual(logs.records[0].sql_count, 1)
        self.assertGreater(logs.records[0].sql_ms, 0)

    def runaways(self) -> float:
        return metrics().db_n_plus_one.labels("unmatched")._value.get()

    def test_ten_times_from_one_place(self):
        before = self.runaways()
        with self.settings(REPEATED_STATEMENTS_RAISE=False), tallied(RequestFactory().get("/")):
            for _ in range(25):
                ask()
        self.assertEqual(self.runaways() - before, 1)
        store.flush()
        row = self.row("accounts_user", "email", "=")
        self.assertEqual((row.repeats, row.route), (1, "unmatched"))
        self.assertIn("database/recording.py", row.call_site)

    def test_in_tests_it_raises_and_names_the_place(self):
        place = r"^tests/monitoring/database/recording\.py:\d+ ask ran 10 times in one request: SELECT "
        with tallied(RequestFactory().get("/")), self.assertRaisesRegex(StatementRepeated, place):
            for _ in range(10):
                ask()

    def test_nine_times_or_from_many_places_is_none(self):
        before = self.runaways()
        with tallied(RequestFactory().get("/")):
            for _ in range(9):
                ask()
        with tallied(RequestFactory().get("/")):
            for act in [lambda: User.objects.filter(email="a").exists()] * 9:
                act()
            User.objects.filter(email="a").exists()
        self.assertEqual(self.runaways(), before)


class NoValues(Recording, CommittingApiTestCase):
    """A planted value is found in no log, row or metric."""

    def test_anywhere(self):
        self.slow_from(0)
        with self.assertLogs(level="DEBUG") as logs:
            for _ in range(12):
                ask()
            with self.assertRaises(DatabaseError), transaction.atomic():
                user = asha()
                user.pk = None
                user._state.adding = True
                user.save()
            store.flush()
            plan_slow_statements()
        formatter = JsonFormatter()
        told = "".join(formatter.format(record) for record in logs.records if record.name.startswith("koshflow"))
        rows = "".join(str(row.__dict__) for row in RecordedStatement.objects.all())
        for text in (told, rows):
            self.assertNotIn("zx9marker", text)
            self.assertNotIn("asha@", text)
