"""The evaluator on a real database: what fires, what is queued with it, and that one of many comes through."""

import json
from datetime import timedelta
from io import StringIO
from unittest.mock import patch

from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from monitoring.alerts import RULES, Family, active_alerts, evaluate_alerts, services
from monitoring.alerts.models import AlertEvaluator, AlertState
from security.audit import Action, AuditEvent
from security.outbox import OutboxMessage
from tests.base import CommittingApiTestCase
from tests.monitoring.alerts.cases import AlertCase, named, without

# One for each rule about events, and one for each window. A rule more may be one more; twice as many are a mistake.
QUESTIONS = {"sqlite": 45, "postgresql": 54}


class Errors(AlertCase):
    """From counts in the database to one message when it begins and one when it is over."""

    rules = without(Family.SECURITY)

    def test_a_quiet_installation_fires_nothing(self):
        self.rules = RULES
        self.steps(300, every=30)
        self.assertEqual((self.firing(), self.queued()), (set(), []))

    def test_failing_requests_are_told_and_their_end_too(self):
        def ten_percent():
            self.requests(90)
            self.requests(10, status="5xx")

        self.steps(90, each=ten_percent)
        self.assertIn("server_errors", self.firing())
        self.assertEqual(self.queued(), [("alert.firing", ["server_errors"])])
        self.steps(900, every=60, each=lambda: self.requests(100))
        self.assertEqual(self.queued()[1:], [("alert.resolved", ["server_errors"])])
        self.assertEqual(self.status("server_errors"), "resolved")

    def test_a_message_says_what_to_do_and_names_nobody(self):
        self.steps(60, each=lambda: self.requests(20, status="5xx"))
        [row] = OutboxMessage.objects.filter(kind="alert")
        said = json.loads(row.payload)["said"]
        self.assertEqual((said["family"], said["severity"]), ("errors", "critical"))
        [alert] = [one for one in said["alerts"] if one["rule"] == "server_errors_critical"]
        self.assertEqual(alert["runbook"], "docs/runbooks/server_errors_critical.md")
        self.assertEqual(alert["value"], 1.0)
        self.assertEqual(len(alert["fingerprint"]), 32)

    def test_a_flood_that_is_refused_as_busy_is_no_failure_and_hides_none(self):
        def flood():
            self.requests(20)
            self.requests(40, status="5xx", route="/api/auth/login")
            self.count("kf_refusals_total", 40, code="BUSY")

        self.steps(120, each=flood)
        self.assertEqual((self.firing(), self.queued()), (set(), []))

        def fail_too():
            flood()
            self.requests(10, status="5xx")

        self.steps(120, each=fail_too)
        self.assertIn("server_errors_critical", self.firing())

    def test_slow_requests_fire_and_slow_sign_ins_do_not(self):
        self.rules = named("slow_requests", "password_queue", "server_errors", "error_budget_fast")
        self.steps(960, every=60, each=lambda: self.requests(10, le="2.5", route="/api/auth/login"))
        self.assertEqual(self.firing(), set())
        self.steps(960, every=60, each=lambda: self.requests(10, le="2.5"))
        self.assertEqual(self.firing(), {"slow_requests"})

    def test_memory_disk_and_queue(self):
        def grow():
            self.told_gauge("kf_process_memory_used_ratio", 0.85)
            self.told_gauge("kf_host_disk_used_ratio", 0.96)
            self.count("kf_password_hash_queue_seconds_bucket", 30, le="1.0")

        self.steps(240, each=grow)
        self.assertEqual(self.firing(), {"memory_high", "disk_low", "disk_almost_full", "password_queue"})
        told = {rule for _, rules in self.queued() for rule in rules}
        self.assertNotIn("disk_low", told)  # the worse one explains it


class Absences(AlertCase):
    """Silence is an alert, and never a reason to call anything well."""

    def test_servers_and_schedule_that_are_silent_fire(self):
        self.steps(60)
        self.steps(240, is_beating=False)
        self.assertEqual(self.firing(), {"server_silent", "schedule_stalled"})

    def test_what_fires_stays_so_while_nothing_is_heard(self):
        self.rules = named("server_errors", "server_errors_critical", "server_silent", "schedule_stalled")
        self.steps(90, each=lambda: self.requests(20, status="5xx"))
        self.steps(1200, every=60, is_beating=False)
        self.assertEqual(self.status("server_errors"), "firing")

    def test_a_failing_entry_of_the_schedule(self):
        self.count("kf_schedule_runs_total", 3, entry="seal_audit_log", outcome="failed")
        self.step()
        self.assertEqual(self.firing(), {"schedule_failing"})


class Security(AlertCase):
    """Read from the audit log, in which every one of them stands."""

    rules = tuple(rule for rule in RULES if rule.family is Family.SECURITY)

    def test_a_refresh_token_used_twice_is_told_at_once(self):
        self.step()
        self.event(Action.REFRESH_TOKEN_REUSED)
        with self.assertLogs("monitoring.alerts", "INFO") as log:
            self.step()
        self.assertEqual(self.queued(), [("alert.firing", ["refresh_token_reuse"])])
        said = {(record.getMessage(), record.rule, record.status) for record in log.records}
        self.assertEqual(said, {(event, "refresh_token_reuse", "firing") for event in ("alert_changed", "alert_told")})

    def test_it_is_told_even_after_the_evaluator_was_away_for_an_hour(self):
        self.step()
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.step(3600)
        self.assertIn("refresh_token_reuse", self.firing())

    def test_another_person_is_told_after_five_minutes_and_the_same_one_after_four_hours(self):
        asha, bilal = self.a_person(), self.a_person()

        def reuse(person):
            self.event(Action.REFRESH_TOKEN_REUSED, target=person)
            self.step()

        reuse(asha)
        reuse(asha)
        self.steps(285, each=lambda: reuse(asha))
        self.assertEqual(len(self.queued()), 1)
        reuse(bilal)
        self.assertEqual(self.queued(), [("alert.firing", ["refresh_token_reuse"])] * 2)
        self.assertEqual(self.told_events(), [1, AuditEvent.objects.filter(type="refresh_token.reused").count()])
        reuse(self.a_person())
        self.assertEqual(len(self.queued()), 2)
        self.steps(285, every=57)
        self.assertEqual(len(self.queued()), 3)
        self.steps(360, every=60)
        self.assertEqual(self.queued()[3:], [("alert.resolved", ["refresh_token_reuse"])])

    def test_what_names_nobody_is_somebody_each_time(self):
        self.event(Action.RECORD_OUT_OF_BAND)
        self.step()
        self.event(Action.RECORD_OUT_OF_BAND)
        self.steps(300, every=60)
        self.assertEqual((len(self.queued()), self.told_events()), (2, [1, 2]))

    def test_who_was_in_it_before_the_evaluator_was_away_does_not_hide_who_comes_after(self):
        self.step()
        self.event(Action.REFRESH_TOKEN_REUSED, target=self.a_person())
        self.step(3600)
        before = len(self.queued())
        self.event(Action.REFRESH_TOKEN_REUSED, target=self.a_person())
        self.steps(300, every=60)
        told = [rules for _, rules in self.queued()[before:] if "refresh_token_reuse" in rules]
        self.assertEqual(len(told), 1)

    @staticmethod
    def told_events():
        rows = OutboxMessage.objects.filter(kind="alert").order_by("created_at", "pk")
        return [alert["events"] for row in rows for alert in json.loads(row.payload)["said"]["alerts"]]

    def test_failures_of_one_account_and_the_same_of_many(self):
        asha = self.a_person()
        for number in range(21):
            self.event(Action.SESSION_CREATE_REFUSED, target=self.a_person() if number % 2 else asha)
        self.step()
        self.assertEqual(self.firing(), set())
        for _ in range(10):
            self.event(Action.SESSION_CREATE_REFUSED, target=asha)
        self.step()
        self.assertEqual(self.firing(), {"sign_in_failures_account"})

    def test_lockouts_second_factors_staff_and_changes_past_us(self):
        for action, times in (
            (Action.SESSION_LOCKED_OUT, 5),
            (Action.SECOND_FACTOR_REFUSED, 11),
            (Action.STAFF_CREATED, 1),
            (Action.STAFF_DEVICE_UNKNOWN, 1),
            (Action.RECORD_OUT_OF_BAND, 1),
        ):
            for _ in range(times):
                self.event(action)
        self.step()
        told = {"lockouts", "second_factor_failures", "admin_granted", "staff_device_unknown", "changed_past_services"}
        self.assertEqual(self.firing(), told)

    def test_the_first_account_of_an_installation_is_no_news(self):
        for role in ("Administrator", "Auditor"):
            with self.subTest(role):
                call_command(
                    "staff_create",
                    email=f"{role}@example.in",
                    name="Omar",
                    role=role,
                    stdout=StringIO(),
                    stderr=StringIO(),
                )
                self.step()
                self.assertEqual(self.firing(), set() if role == "Administrator" else {"admin_granted"})

    def test_one_less_of_each_fires_nothing(self):
        for action, times in ((Action.SESSION_LOCKED_OUT, 4), (Action.SECOND_FACTOR_REFUSED, 10)):
            for _ in range(times):
                self.event(action)
        self.step()
        self.assertEqual(self.firing(), set())


class Late(AlertCase):
    """What waits for its seal, or to be delivered."""

    at_rest = ()

    def test_events_that_nobody_seals(self):
        self.event(Action.KEYS_CREATED)
        self.steps(120)
        self.assertEqual(self.firing(), {"audit_seal_late"})

    def test_messages_that_nobody_delivers(self):
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.step()
        self.step(615)
        self.assertIn("outbox_late", self.firing())


class Bounds(AlertCase):
    """One comes through at a time, one rule's failure is its own, and nothing is told without its state."""

    def test_twice_in_a_moment_is_once(self):
        self.step()
        before = AlertEvaluator.objects.get().evaluated_at
        self.step(3)
        self.assertEqual(AlertEvaluator.objects.get().evaluated_at, before)

    def test_a_clock_that_is_put_back_holds_nothing_up(self):
        self.steps(30)
        self.step(-5 * 3600)
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.steps(30)
        self.assertEqual(self.firing(), {"refresh_token_reuse"})

    def test_without_the_message_there_is_no_state(self):
        self.event(Action.REFRESH_TOKEN_REUSED)
        with patch.object(services, "queue_everywhere", side_effect=DatabaseError), self.assertRaises(DatabaseError):
            self.step()
        self.assertEqual((AlertState.objects.count(), AlertEvaluator.objects.count()), (0, 0))
        self.step()
        self.assertEqual(self.queued(), [("alert.firing", ["refresh_token_reuse"])])

    def test_switched_off_it_does_nothing(self):
        with override_settings(ALERTS=False):
            self.assertEqual(self.step(), 0)
        self.assertFalse(AlertState.objects.exists())

    def test_a_run_asks_a_bounded_number_of_questions(self):
        self.steps(30)
        self.now += timedelta(seconds=15)
        self.clock.shift(timedelta(seconds=15))
        with self.assertNumQueries(QUESTIONS[connection.vendor]):
            evaluate_alerts()

    def test_active_alerts_stand_with_the_worst_first(self):
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.event(Action.STAFF_CREATED)
        self.step()
        found = active_alerts()
        self.assertEqual([one.rule.name for one in found], ["refresh_token_reuse", "admin_granted"])
        self.assertFalse(found[0].is_muted)


class Race(CommittingApiTestCase):
    """Several that evaluate at the same moment are one."""

    def test_four_at_once_queue_once(self):
        clock = self.stop_the_clock()
        with override_settings(ALERT_MAIL_TO=["ops@example.in"]):
            evaluate_alerts()
            with transaction.atomic():
                services_record()
            clock.advance(seconds=15)
            self.in_parallel(4, lambda _: evaluate_alerts())
        rows = [row for row in OutboxMessage.objects.filter(kind="alert") if "refresh_token_reuse" in row.payload]
        self.assertEqual(len(rows), 1)


def services_record():
    from security.audit import record

    record(Action.REFRESH_TOKEN_REUSED)
