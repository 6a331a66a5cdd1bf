"""A rule that gives no answer, or whose turn never comes, is told of; and it is no other rule's matter."""

from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

from django.db import DatabaseError

from monitoring.alerts.models import AlertEvaluator, AlertState
from security.audit import Action
from tests.monitoring.alerts.cases import AlertCase, named

# The first of them is asked every 15 seconds, the others every minute and every five.
QUICK, SLOW, SLOWEST = "outbox_given_up", "audit_silent", "transaction_wraparound"
GAUGE = {QUICK: "outbox_given_up", SLOW: "audit_heartbeat_gap_seconds", SLOWEST: "db_wraparound_ratio"}


class AskingCase(AlertCase):
    """Some gauges fail or take time for a while; `spent` is what a run's clock says."""

    rules = named(QUICK, SLOW, SLOWEST, "refresh_token_reuse", "changed_past_services", "rules_not_evaluated")
    spent = 0.0

    def setUp(self):
        super().setUp()
        clock = patch("monitoring.alerts.sources.time", SimpleNamespace(monotonic=lambda: self.spent))
        clock.start()
        self.addCleanup(clock.stop)

    @contextmanager
    def failing(self, *rules, error=DatabaseError):
        def fail(_now):
            raise error("no")

        gauges = dict.fromkeys((GAUGE[rule] for rule in rules), fail)
        with patch.dict("monitoring.alerts.sources.GAUGES", gauges), self.logged() as log:
            yield log

    def logged(self):
        return self.assertLogs("monitoring.alerts", "WARNING")

    def spend(self, _now):
        """A gauge for which a run has no time: what comes after it waits."""
        self.spent += 11
        return 0.0

    def of_rules(self, log, event="alert_rule_not_evaluated"):
        return {record.rule for record in log.records if record.getMessage() == event}


class Failing(AskingCase):
    """What gives no answer for five minutes is told, however seldom it is due, and until it answers again."""

    def test_each_kind_of_rule_is_told_of(self):
        for rule in (QUICK, SLOW, SLOWEST):
            with self.subTest(rule):
                self.steps(120, every=60)
                with self.failing(rule) as log:
                    self.steps(330 + 300, every=30)  # the slowest may have been asked just before
                self.assertEqual(self.firing(), {"rules_not_evaluated"})
                self.assertEqual(self.of_rules(log), {rule})
                self.steps(90)
                self.assertEqual(self.status("rules_not_evaluated"), "resolved")

    def test_it_is_asked_again_in_the_next_run_and_not_in_five_minutes(self):
        with self.failing(SLOWEST):
            self.step()
        self.assertIsNotNone(AlertState.objects.get(rule=SLOWEST).missed_since)
        self.step()
        self.assertIsNone(AlertState.objects.get(rule=SLOWEST).missed_since)

    def test_no_other_rule_suffers_from_it(self):
        with self.failing(QUICK):
            self.event(Action.REFRESH_TOKEN_REUSED)
            self.step()
        self.assertEqual(self.firing(), {"refresh_token_reuse"})

    def test_nor_from_a_fault_of_ours(self):
        with self.failing(QUICK, error=ZeroDivisionError) as log:
            self.event(Action.REFRESH_TOKEN_REUSED)
            self.step()
        self.assertEqual(self.firing(), {"refresh_token_reuse"})
        self.assertEqual({record.levelname for record in log.records if hasattr(record, "rule")}, {"ERROR", "WARNING"})

    def test_four_minutes_are_nothing(self):
        with self.failing(QUICK, SLOW):
            self.steps(240)
        self.step()
        self.assertEqual(self.firing(), set())

    def test_counts_that_were_not_kept_are_no_answer_to_who_looks_at_their_growth(self):
        self.rules = named("database_deadlocks", "database_cache_misses", "rules_not_evaluated")
        broken = patch("monitoring.alerts.sources.database_counts", side_effect=DatabaseError)
        with broken, self.logged() as log:
            self.steps(360, every=30)
        self.assertEqual(self.firing(), {"rules_not_evaluated"})
        self.assertEqual(self.of_rules(log), {"database_deadlocks", "database_cache_misses"})
        self.assertIn("alert_counts_not_kept", {record.getMessage() for record in log.records})


class OutOfTime(AskingCase):
    """A run ends after ten seconds; what was not reached comes first in the next."""

    rules = (*named(QUICK), *named(SLOW, SLOWEST, "changed_past_services", "rules_not_evaluated"))

    def taking_all_time(self, *rules):
        return patch.dict(
            "monitoring.alerts.sources.GAUGES", dict.fromkeys((GAUGE[rule] for rule in rules), self.spend)
        )

    def test_runs_that_reach_nobody_are_told(self):
        with patch("monitoring.alerts.sources.BUDGET_SECONDS", -1.0), self.logged() as log:
            self.steps(330)
        self.assertEqual(self.firing(), {"rules_not_evaluated"})
        self.assertEqual(AlertEvaluator.objects.get().evaluated_at, self.now)
        self.assertEqual({record.getMessage() for record in log.records} - {"alert_told"}, {"alert_rules_not_reached"})

    def test_one_that_takes_it_all_keeps_no_other_from_its_turn(self):
        with self.taking_all_time(QUICK), self.logged():
            self.steps(330)
        self.assertEqual(self.firing(), set())
        last = AlertState.objects.exclude(rule=SLOWEST).order_by("evaluated_at")[0].evaluated_at
        self.assertGreaterEqual(last, self.now - timedelta(seconds=60))

    def test_what_is_waited_for_fires_a_run_later(self):
        self.step()
        with self.taking_all_time(QUICK), self.logged():
            self.event(Action.RECORD_OUT_OF_BAND)
            self.step()
            self.assertEqual(self.firing(), set())
            self.step()
        self.assertIn("changed_past_services", self.firing())
