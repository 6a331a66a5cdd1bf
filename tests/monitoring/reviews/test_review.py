"""The weekly review: p95 by route against the weeks before, and what changed beside what is slower."""

import json
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import time_machine
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import TransactionTestCase, override_settings

from koshflow.schedule import SCHEDULE, slot
from monitoring.database import RecordedStatement
from monitoring.reviews import PerformanceReview, last_week, review_on_schedule
from monitoring.rollups import BEATS
from monitoring.rollups.models import Kind, MetricPoint
from monitoring.rollups.selecting import Key, labels_of
from monitoring.rollups.store import SeriesIds, add
from security.outbox import deliver_due

MONDAY = date(2026, 11, 16)
START = datetime(2026, 11, 16, tzinfo=UTC)
NOW = START + timedelta(days=7, hours=1)
SLOW, STEADY = "/api/slow", "/api/steady"


class ReviewCase(TransactionTestCase):
    """Five weeks: the last one has /api/slow at 0.5 to 0.75 s instead of 0.05 to 0.075 s, and a new release."""

    def setUp(self):
        for week in range(5):
            start = START - timedelta(weeks=4 - week)
            self.count(start, SLOW, "0.75" if week == 4 else "0.075", 200)
            self.count(start, STEADY, "0.05", 1000)
            self.count(start, "/api/rare", "5.0" if week == 4 else "0.05", 20)
        self.count(START, STEADY, "0.05", 10, status="5xx")
        self.beat(START - timedelta(weeks=4), "0.1.0")
        self.beat(START + timedelta(days=2), "0.2.0")

    def count(self, at, route, le, times, *, status="2xx"):
        labels = {"method": "GET", "route": route, "status_class": status, "le": le}
        self.put(Key("kf_http_request_duration_seconds_bucket", labels_of(labels)), at, times)

    def beat(self, at, version):
        self.put(Key(BEATS, labels_of({"role": "server", "version": version})), at, 1)

    def put(self, key, at, value):
        (pk,) = SeriesIds().of([key], Kind.SUM).values()
        MetricPoint.objects.create(series_id=pk, step=3600, at=int(at.timestamp()), value=value)

    def command(self, *arguments):
        out = StringIO()
        call_command("performance_review", "--week", str(MONDAY), *arguments, stdout=out)
        return out.getvalue()


class Review(ReviewCase):
    """What is slower is named with the release and the statement that changed; what is not, is not."""

    def test_the_regression_alone_is_named_and_stands_first(self):
        RecordedStatement.objects.create(
            alias="default", fingerprint="f" * 16, operation="select", text="SELECT a FROM t", calls=10, total_ms=5000,
            max_ms=900, route=SLOW, first_seen_at=START - timedelta(days=9), last_seen_at=NOW, plan_changed_at=START,
        )  # fmt: skip
        said = json.loads(self.command("--json"))
        self.assertEqual([one["route"] for one in said["routes"] if one["regression"]], [SLOW])
        first = said["routes"][0]
        self.assertTrue(500 < first["p95"] <= 750 and 50 < first["before"] <= 75, first)
        self.assertEqual(
            (first["statements"][0]["fingerprint"], first["statements"][0]["planChanged"]), ("f" * 16, True)
        )
        self.assertEqual([one["version"] for one in said["releases"]], ["0.2.0"])
        steady = next(one for one in said["routes"] if one["route"] == STEADY)
        self.assertEqual((steady["requests"], steady["failed"]), (1010, round(10 / 1010, 5)))

    def test_too_few_requests_prove_nothing(self):
        rare = next(one for one in json.loads(self.command("--json"))["routes"] if one["route"] == "/api/rare")
        self.assertEqual((rare["p95"], rare["regression"]), (None, False))

    def test_in_words(self):
        words = self.command()
        self.assertIn("1 route slower", words)
        self.assertRegex(words, r"SLOWER GET /api/slow: p95 \d+(\.\d)? ms, in the four weeks before \d+")
        self.assertIn("release 0.2.0 first served at 2026-11-18", words)

    def test_the_command_may_be_run_again(self):
        self.command()
        self.command()
        self.assertEqual(PerformanceReview.objects.count(), 1)

    def test_what_cannot_be_reviewed(self):
        monday = START + timedelta(days=7)
        for now, week, sentence in (
            (NOW, "2026-11-17", "no Monday"),
            (NOW, "2020-01-06", "no request was counted"),
            (NOW, str(monday.date()), "is not over"),
            (monday - timedelta(microseconds=1), str(MONDAY), "is not over"),
            (NOW, "9999-12-27", "is not over"),
            (NOW, "0001-01-01", "date value out of range"),
        ):
            with time_machine.travel(now, tick=False), self.assertRaisesRegex(CommandError, sentence):
                call_command("performance_review", "--week", week)
        self.assertEqual(PerformanceReview.objects.count(), 0)
        with time_machine.travel(monday, tick=False):
            self.command()
        self.assertEqual(PerformanceReview.objects.count(), 1)

    def test_what_was_counted_last_is_in_it_though_nobody_has_folded_it(self):
        monday = START + timedelta(days=7)
        labels = {"method": "GET", "route": "/api/late", "status_class": "2xx", "le": "0.05"}
        key = Key("kf_http_request_duration_seconds_bucket", labels_of(labels))
        add({key: 5}, {}, at=monday - timedelta(seconds=1), ids=SeriesIds())
        add({key: 7}, {}, at=monday, ids=SeriesIds())
        with time_machine.travel(monday + timedelta(seconds=3), tick=False):
            said = json.loads(self.command("--json"))
        self.assertEqual([one["requests"] for one in said["routes"] if one["route"] == "/api/late"], [5])


class OnSchedule(ReviewCase):
    """Once a week it is mailed to the operators, however often the schedule asks."""

    def test_the_last_week_is_the_last_that_is_over(self):
        for day, monday in ((START, 9), (START + timedelta(days=6, hours=23), 9), (START + timedelta(days=7), 16)):
            self.assertEqual(last_week(day), date(2026, 11, monday))

    @override_settings(ALERT_MAIL_TO=["ops@example.in", "night@example.in"])
    def test_it_is_mailed_once(self):
        self.assertEqual([review_on_schedule(NOW), review_on_schedule(NOW)], [2, 0])
        deliver_due()
        self.assertEqual(sorted(one.to[0] for one in mail.outbox), ["night@example.in", "ops@example.in"])
        self.assertEqual(mail.outbox[0].subject, "Performance, week of 2026-11-16: 1 route slower")
        self.assertIn("SLOWER GET /api/slow", mail.outbox[0].body)

    @override_settings(ALERT_MAIL_TO=["ops@example.in"])
    def test_it_is_mailed_also_where_the_command_was_first(self):
        self.command()
        self.assertEqual(review_on_schedule(NOW), 1)
        self.command()
        self.assertEqual(review_on_schedule(NOW), 0)

    @override_settings(ALERT_MAIL_TO=["ops@example.in"])
    def test_a_worker_that_was_away_on_monday_makes_it_on_the_day_after(self):
        [entry] = [entry for entry in SCHEDULE if entry.name == "performance_review"]
        back = START + timedelta(days=7, hours=9)  # the Monday's slot is missed
        due = slot(entry, back).next_at
        self.assertEqual(due.date(), back.date() + timedelta(days=1))
        self.assertEqual((review_on_schedule(due), review_on_schedule(due + timedelta(days=1))), (1, 0))
        self.assertEqual(PerformanceReview.objects.get().week, MONDAY)

    def test_a_week_without_requests_is_no_review(self):
        self.assertEqual(review_on_schedule(NOW - timedelta(weeks=9)), 0)
        self.assertEqual(PerformanceReview.objects.count(), 0)
