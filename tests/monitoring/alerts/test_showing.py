"""What `/metrics` says of alerts."""

from datetime import UTC, datetime, timedelta

import time_machine
from django.db import connections, transaction
from django.test import TransactionTestCase
from django.utils import timezone

from monitoring.alerts import RULES
from monitoring.alerts.models import AlertEvaluator, AlertState
from monitoring.alerts.showing import EACH, families, watcher
from monitoring.metrics.exposition import Snapshot
from security.audit import Action, record
from security.outbox import OutboxMessage, enqueue

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Shown(TransactionTestCase):
    """Which rules fire, when they were last evaluated, and how long an alert has waited to go out."""

    def setUp(self):
        watcher.forget()
        self.addCleanup(watcher.forget)
        self.addCleanup(connections.close_all)

    def samples(self):
        return {
            (sample.name, sample.labels.get("rule", sample.labels.get("kind", ""))): sample.value
            for family in families()
            for sample in family.samples
        }

    def test_an_installation_that_never_evaluated_says_so(self):
        found = self.samples()
        self.assertEqual(found["kf_alert_evaluator_last_success_timestamp_seconds", ""], 0)
        self.assertEqual(found["kf_alert_outbox_oldest_seconds", ""], 0)
        self.assertEqual({value for (name, _), value in found.items() if name == "kf_alert_active"}, {0})
        self.assertEqual(len(found), len(RULES) + 3 + len(EACH))

    def test_what_fires_is_one(self):
        for rule, status in (("lockouts", "firing"), ("disk_low", "pending")):
            AlertState.objects.create(rule=rule, status=status, evaluated_at=AT)
        AlertEvaluator.objects.create(evaluated_at=AT)
        with transaction.atomic():
            enqueue(channel="webhook", kind="alert", subject=None, payload={})
            enqueue(channel="mail", kind="password_reset", subject=None, payload={})
        OutboxMessage.objects.filter(kind="alert").update(created_at=timezone.now() - timedelta(seconds=90))
        OutboxMessage.objects.exclude(kind="alert").update(created_at=timezone.now() - timedelta(hours=1))
        found = self.samples()
        self.assertEqual((found["kf_alert_active", "lockouts"], found["kf_alert_active", "disk_low"]), (1, 0))
        self.assertEqual(found["kf_alert_evaluator_last_success_timestamp_seconds", ""], AT.timestamp())
        self.assertTrue(90 <= found["kf_alert_outbox_oldest_seconds", ""] < 150)

    def test_when_the_last_event_was_of_those_that_are_told_one_by_one(self):
        with time_machine.travel(AT, tick=False), transaction.atomic():
            record(Action.STAFF_CREATED)
        found = self.samples()
        last = {kind: value for (name, kind), value in found.items() if "last_timestamp" in name and "event" in name}
        self.assertEqual(last.pop("staff.created"), AT.timestamp())
        others = {"record.out_of_band": 0, "refresh_token.reused": 0, "staff.device_unknown": 0}
        self.assertEqual((last, found["kf_audit_faults", ""]), (others, 0))

    def test_it_stands_in_the_text_that_is_scraped(self):
        self.assertIn('kf_alert_active{rule="server_errors",severity="warning"} 0.0', Snapshot().text())
