"""`make demo`: an installation that has something to show."""

import io
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from unittest import TestCase as PlainCase

import pytest
from django.db import connection
from django.test import TestCase, override_settings
from django.utils import timezone

from accounts.identity.models import Company, User
from accounts.login.services import log_in
from accounts.sessions.models import Session
from koshflow import demo
from koshflow.refusal import Refusal
from monitoring.alerts import AlertState, evaluate_alerts, standing_silences
from monitoring.dashboard import PERIODS, draw, panels
from monitoring.database import RecordedStatement
from monitoring.reviews import PerformanceReview
from security.audit import AuditEvent
from security.errors import AccountLocked
from security.lockout import CredentialCounter
from security.outbox import OutboxMessage
from security.rbac import Role
from security.tlog import seal_pending
from tests.koshflow.servers import an_environment, refusal
from tests.production_check import production_environment


class TheDemonstration(TestCase):
    """Invented companies and people, and what the services wrote down of what they did; once, however often asked."""

    @classmethod
    def setUpTestData(cls):
        cls.was_filled = demo.fill_demo()

    def setUp(self):
        self.assertTrue(self.was_filled)

    @pytest.mark.embedded
    def test_it_shows_people_at_work_and_strangers_at_the_door(self):
        with self.subTest("two companies; four people, one of each role that matters"):
            people = {user.email: (user.company.name, user.role) for user in User.objects.all()}
            self.assertEqual(
                people,
                {
                    demo.ASHA: ("Kaveri Textiles", Role.ADMIN),
                    demo.BILAL: ("Kaveri Textiles", Role.ACCOUNTANT),
                    demo.DIVYA: ("Kaveri Textiles", Role.VIEWER),
                    demo.CHITRA: ("Malabar Spices", Role.ADMIN),
                },
            )
        with self.subTest("sessions on several devices, from several addresses, alive and ended"):
            sessions = Session.objects.select_related("user__subject", "user__company__subject")
            self.assertGreaterEqual(len({session.client_label for session in sessions}), 4)
            self.assertGreaterEqual(len({session.address for session in sessions}), 4)
            self.assertEqual({session.revoked_at is None for session in sessions}, {True, False})
        with self.subTest("the trail tells of acts and of refusals"):
            told = set(AuditEvent.objects.values_list("type", flat=True))
            self.assertLessEqual(
                {
                    "company.registered",
                    "session.created",
                    "session.refreshed",
                    "session.ended",
                    "profile.updated",
                    "password.changed",
                    "password.reset_requested",
                    "session.create_refused",
                    "session.locked_out",
                    "registration.refused",
                    "password.change_refused",
                },
                told,
            )
        with self.subTest("mail waits, and an account is locked for who tried it"):
            self.assertTrue(OutboxMessage.objects.exists())
            self.assertTrue(CredentialCounter.objects.exists())
            with demo._client("192.0.2.66", "curl/8.5.0"), self.assertRaises(AccountLocked):
                log_in(email=demo.DIVYA, password=demo.PASSWORD)
        with self.subTest("everybody else signs in with the password that is printed"):
            for email in (demo.ASHA, demo.BILAL, demo.CHITRA):
                log_in(email=email, password=demo.PASSWORD)

    def test_each_of_the_operators_pages_has_something_to_show(self):
        for period in PERIODS.values():
            empty = [panel.slug for panel in panels(period, timezone.now()) if draw(panel).is_empty]
            self.assertEqual(empty, [], period.slug)
        review = PerformanceReview.objects.get().document
        self.assertEqual([one["route"] for one in review["routes"] if one["regression"]], ["/api/audit/events"])
        self.assertEqual({f"{one['failed']:.2%}" for one in review["routes"] if one["requests"] > 100_000}, {"0.03%"})
        self.assertEqual(len(review["routes"][0]["statements"]), 2)
        first_step = {"sqlite": "SCAN audit_event", "postgresql": "Seq Scan on audit_event"}[connection.vendor]
        self.assertEqual(RecordedStatement.objects.get(plan__isnull=False).plan[0], first_step)
        self.assertEqual(len(review["releases"]), 1)
        self.assertTrue(RecordedStatement.objects.filter(repeats__gt=0).exists())
        self.assertEqual([one.rule for one in standing_silences(timezone.now())], ["long_query"])

    def test_its_history_makes_no_rule_fire(self):
        evaluate_alerts()
        # Nothing beats here: the server of a demonstration does.
        firing = AlertState.objects.exclude(status="ok").exclude(rule__in=("server_silent", "schedule_stalled"))
        self.assertEqual({state.rule for state in firing}, set())

    def test_nothing_of_it_looks_like_a_break_in(self):
        seal_pending()
        self.assertFalse(AuditEvent.objects.filter(type="record.out_of_band").exists())
        self.assertEqual(AuditEvent.objects.filter(type="demo.filled").count(), 2)

    @pytest.mark.embedded
    def test_a_second_time_it_adds_nothing(self):
        before = self.counts()
        self.assertFalse(demo.fill_demo())
        self.assertEqual(self.counts(), before)

    @pytest.mark.embedded
    def test_a_second_time_it_says_so_and_tells_again_how_to_get_in(self):
        printed = io.StringIO()
        with redirect_stdout(printed):
            demo.prepare_demo()
        self.assertTrue(printed.getvalue().startswith("The demonstration is there already; nothing was added.\n"))
        self.assertIn("Whoever was given another password since has that one", printed.getvalue())
        self.assertNotIn("(VIEWER, locked", printed.getvalue())  # that is over after a quarter of an hour
        for word in (demo.ASHA, demo.CHITRA, demo.PASSWORD, "/admin/, is for staff"):
            self.assertIn(word, printed.getvalue())

    @pytest.mark.embedded
    def test_a_run_that_was_cut_short_is_taken_up_again(self):
        User.objects.filter(email=demo.CHITRA).update(email="chitra@elsewhere.example.in")
        Company.objects.filter(name="Malabar Spices").update(email="office@elsewhere.example.in")
        people = User.objects.count()
        self.assertTrue(demo.fill_demo())
        self.assertEqual(User.objects.count(), people + 1)

    def counts(self) -> list[int]:
        return [model.objects.count() for model in (Company, User, Session, AuditEvent, OutboxMessage)]


@pytest.mark.embedded
class NotInProduction(PlainCase):
    """A password that everybody knows opens these accounts."""

    @override_settings(ENVIRONMENT="production")
    def test_it_is_refused(self):
        with self.assertRaises(Refusal):
            demo.fill_demo()

    def test_the_launch_is_refused_before_it_prepares_anything(self):
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home) / "var"
            environment = production_environment(str(folder)) | {"PORT": an_environment(folder)["PORT"]}
            code, lines = refusal(environment, "koshflow.launch", "--demo")
            self.assertEqual((code, len(lines)), (78, 1), lines)
            self.assertIn("--demo is not for production", lines[0])
            self.assertFalse(folder.exists())
