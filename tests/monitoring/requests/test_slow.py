"""A slow request is told of with its SQL, never with its body; staff see where the time went (promise G48)."""

import json
import time
from unittest import TestCase
from unittest.mock import patch

from django.db import connection

from monitoring.logs import JsonFormatter
from monitoring.requests import middleware
from monitoring.requests.memory import HighWater
from monitoring.requests.slow import MOST_ROUTES, Usual
from tests.accounts.admin.door import AdminTestCase
from tests.base import ApiTestCase
from tests.factories import asha
from tests.monitoring.metrics.counting import CountingMixin

KEY = ("GET", "/x", 2)


class Rule(TestCase):
    """Over a second; or over five times its own 95th percentile, and over 50 ms."""

    def test_by_the_clock(self):
        usual = Usual()
        self.assertEqual([usual.is_slow(KEY, seconds) for seconds in (0.9, 1.0, 1.1)], [False, False, True])

    def test_beside_what_is_usual(self):
        usual = Usual()
        for _ in range(50):
            usual.is_slow(KEY, 0.02)
        self.assertEqual([usual.is_slow(KEY, seconds) for seconds in (0.09, 0.11)], [False, True])
        self.assertFalse(usual.is_slow(("POST", "/x", 2), 0.11))

    def test_what_nobody_notices_is_not(self):
        usual = Usual()
        for _ in range(50):
            usual.is_slow(KEY, 0.001)
        self.assertEqual([usual.is_slow(KEY, seconds) for seconds in (0.05, 0.051)], [False, True])

    def test_before_a_route_is_known_only_the_clock_counts(self):
        usual = Usual()
        for _ in range(10):
            usual.is_slow(KEY, 0.001)
        self.assertFalse(usual.is_slow(KEY, 0.9))

    def test_one_that_is_always_slow_becomes_usual(self):
        usual = Usual()
        found = [usual.is_slow(KEY, 0.3) for _ in range(100)]
        self.assertFalse(any(found))

    def test_routes_are_bounded(self):
        usual = Usual()
        for number in range(MOST_ROUTES + 5):
            usual.is_slow(("GET", str(number), 2), 0.1)
        self.assertEqual(len(usual._durations), MOST_ROUTES)
        self.assertTrue(usual.is_slow(("GET", "one more", 2), 1.5))


class SlowRequest(CountingMixin, ApiTestCase):
    """Through the door."""

    def test_its_line_names_the_sql_and_no_value(self):
        person = asha()
        token = self.log_in(person)["accessToken"]

        def slowly(request):
            time.sleep(0.002)
            with connection.cursor() as cursor:
                for _ in range(3):
                    cursor.execute("SELECT count(*) FROM django_content_type WHERE model = %s", ["marker-zx9"])
            return {}

        with (
            patch("accounts.profile.views.profile_document", slowly),
            patch("monitoring.requests.slow.SLOW_SECONDS", 0.001),
            self.assertLogs("koshflow.slow", "WARNING") as logs,
        ):
            self.me(token)
        text = JsonFormatter().format(logs.records[0])
        line = json.loads(text)
        self.assertEqual((line["event"], line["route"], line["status"]), ("slow_request", "/api/auth/me", 200))
        self.assertGreaterEqual(line["sql_count"], 4)
        self.assertIn(3, [statement["times"] for statement in line["slowest_sql"]])
        self.assertLessEqual(len(line["slowest_sql"]), 3)
        for value in ("marker-zx9", person.email, token):
            self.assertNotIn(value, text)
        self.assertEqual(self.value("kf_http_slow_requests_total"), 1)

    def test_refusals_which_are_quick_make_no_answer_a_slow_one(self):
        """While somebody guesses at passwords, each right one would be told of as slow."""

        def as_ever(_):
            time.sleep(0.06)
            return {}

        token = self.log_in(asha())["accessToken"]
        with (
            patch.object(middleware, "usual", Usual()),
            patch("accounts.profile.views.profile_document", as_ever),
            self.assertNoLogs("koshflow.slow", "WARNING"),
        ):
            for _ in range(30):
                self.get("/api/auth/me")
            self.me(token)

    def test_a_quick_one_leaves_none(self):
        with self.assertNoLogs("koshflow.slow", "WARNING"), patch("monitoring.requests.slow.SLOW_SECONDS", 30):
            self.get("/api/auth/me")


class ServerTiming(AdminTestCase):
    """For staff who showed their second factor, and for nobody else."""

    def test_staff(self):
        self.assertNotIn("Server-Timing", self.client.get("/admin/login/").headers)
        self.enter()
        header = self.client.get("/admin/").headers["Server-Timing"]
        self.assertRegex(header, r'^total;dur=\d+\.\d, sql;dur=\d+\.\d;desc="\d+"$')

    def test_a_person_of_the_api(self):
        token = self.log_in(asha())["accessToken"]
        with self.assertNumQueries(1):
            self.assertNotIn("Server-Timing", self.me(token).headers)


class Memory(ApiTestCase):
    """The line of the request that raised the high-water mark of its process says how high it is, and by how much."""

    def test_the_mark(self):
        mark = HighWater()
        self.assertEqual(mark.grown_bytes(), mark.peak_bytes)
        self.assertGreater(mark.peak_bytes, 10_000_000)
        self.assertEqual(mark.grown_bytes(), 0)

    def test_a_request_that_takes_much(self):
        self.get("/api/nothing")
        before = middleware.memory.peak_bytes - 5_000_000
        with patch.object(middleware.memory, "peak_bytes", before), self.assertLogs("koshflow.access", "INFO") as logs:
            self.get("/api/nothing")
            self.get("/api/nothing")
        first, second = (vars(record) for record in logs.records)
        self.assertEqual(first["memory_peak_bytes"], before + first["memory_grown_bytes"])
        self.assertGreaterEqual(first["memory_grown_bytes"], 5_000_000)
        self.assertNotIn("memory_peak_bytes", second)
