"""What tests of the evaluator stand on: a clock moved by hand, one channel that goes nowhere, and what was queued."""

import json
from datetime import timedelta
from unittest.mock import patch

import time_machine
from django.db import transaction
from django.test import TestCase, override_settings

from monitoring.alerts import RULES, Rule, evaluate_alerts
from monitoring.alerts.models import AlertState
from monitoring.rollups.selecting import Key, labels_of
from monitoring.rollups.store import SeriesIds, add
from monitoring.rollups.summing import summed
from security.audit import record
from security.crypto import SubjectKey
from security.outbox import OutboxMessage
from tests.monitoring.channels.receiver import SECRET
from tests.security.outbox.cases import NOON


def named(*names):
    """The product's rules of these names."""
    return tuple(rule for rule in RULES if rule.name in names)


def without(family):
    """All of the product's rules but those of `family`."""
    return tuple(rule for rule in RULES if rule.family is not family)


class AlertCase(TestCase):
    """Begins with a server that beats and a schedule that delivers, so that nothing fires by itself."""

    at_rest: tuple[str, ...] = ("audit_heartbeat_gap_seconds", "audit_seal_lag_seconds", "outbox_oldest_seconds")
    rules: tuple[Rule, ...] = RULES  # a class whose steps are many names the few that it looks at
    rule_settings = override_settings(ALERT_WEBHOOK_URL="https://hooks.example.in/", ALERT_WEBHOOK_SECRETS=[SECRET])

    def setUp(self):
        super().setUp()
        traveller = time_machine.travel(NOON, tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)
        # Nobody seals or delivers here while the clock is moved.
        measured = patch.dict("monitoring.alerts.sources.GAUGES", dict.fromkeys(self.at_rest, lambda _now: 0.0))
        measured.start()
        self.addCleanup(measured.stop)
        self.rule_settings.enable()
        self.addCleanup(self.rule_settings.disable)
        self.ids = SeriesIds()
        self.now = NOON

    def count(self, name, times=1.0, **labels):
        self.bring({Key(name, labels_of(labels)): times})

    def bring(self, added):
        """As the thread does that flushes."""
        add({**added, **summed(added)}, {}, at=self.now, ids=self.ids)

    def told_gauge(self, name, value):
        add({}, {Key(name, ()): value}, at=self.now, ids=self.ids)

    def beat(self):
        self.count("kf_process_beats", role="server")
        self.count("kf_schedule_runs_total", entry="deliver_due", outcome="success")

    def requests(self, times, status="2xx", le="0.01", route="/api/auth/me"):
        name = "kf_http_request_duration_seconds_bucket"
        self.count(name, times, method="GET", route=route, status_class=status, le=le)

    def event(self, action, **fields):
        with transaction.atomic():
            record(action, **fields)

    def a_person(self):
        return SubjectKey.objects.issue()

    def step(self, seconds=15, *, rules=None, is_beating=True):
        """Time passes, and the rules are evaluated; how many messages that queued."""
        self.now += timedelta(seconds=seconds)
        self.clock.shift(timedelta(seconds=seconds))
        if is_beating:
            self.beat()
        return evaluate_alerts(rules=rules or self.rules)

    def steps(self, seconds, *, every=15, each=lambda: None, is_beating=True):
        """As many as fit; a wait that nothing but its length decides needs few."""
        for _ in range(0, seconds, every):
            each()
            self.step(every, is_beating=is_beating)

    def status(self, rule):
        return AlertState.objects.get(rule=rule).status

    def firing(self):
        return set(AlertState.objects.filter(status="firing").values_list("rule", flat=True))

    def queued(self):
        """(type, rules) of each message, in order."""
        rows = OutboxMessage.objects.filter(kind="alert").order_by("created_at", "pk")
        said = [json.loads(row.payload)["said"] for row in rows]
        return [(one["type"], [alert["rule"] for alert in one["alerts"]]) for one in said]
