"""A late backup is seen wherever one looks: alert, health, metrics, dashboard; that there is none, in the audit too."""

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import OperationalError, connections
from django.test import TestCase, TransactionTestCase, override_settings

from monitoring.alerts import RULES
from monitoring.backups import forget_target, note_backup
from monitoring.backups.showing import MAX_AGE, watcher
from monitoring.channels.wording import plain_text
from monitoring.health.operation import OperationProbe
from monitoring.health.readings import Health, Status, overall
from monitoring.metrics.exposition import Snapshot
from security.outbox import OutboxMessage
from tests import warm
from tests.accounts.admin.door import AdminTestCase
from tests.commands import output_of
from tests.koshflow.servers import an_environment
from tests.monitoring.alerts.cases import AlertCase, named
from tests.security.posture.plants import found


def told(target, *, hours_ago, size_bytes=None):
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    note_backup(target=target, finished_at=at, size_bytes=size_bytes, operator="root")
    return at


class BackupLate(AlertCase):
    """26 hours after the last backup of a target its job is missed, and the next one ends the alert."""

    rules = named("backup_late")

    def message(self):
        """The last one that was queued."""
        row = OutboxMessage.objects.filter(kind="alert").order_by("created_at", "pk").last()
        return json.loads(row.payload)["said"]

    def said(self):
        [alert] = self.message()["alerts"]
        return alert

    def test_where_none_was_ever_told_nothing_fires(self):
        self.step(30 * 24 * 3600)
        self.assertEqual(self.firing(), set())

    def test_it_fires_after_26_hours_names_the_target_and_is_over_with_the_next(self):
        output_of("backup_note", "nightly")
        self.step(26 * 3600)
        self.assertEqual(self.firing(), set())
        output_of("backup_note", "files")
        self.step(15)
        self.assertEqual(self.firing(), {"backup_late"})
        self.steps(30)
        self.assertEqual(self.queued(), [("alert.firing", ["backup_late"])])
        self.assertEqual((self.said()["about"], self.said()["threshold"]), (["nightly"], 26 * 3600))
        self.assertIn("\n  about nightly\n", plain_text(self.message()))
        output_of("backup_note", "nightly", "--size", "1000")
        self.step()
        self.assertEqual(self.status("backup_late"), "resolved")
        self.step(300)
        self.assertEqual(self.queued()[1:], [("alert.resolved", ["backup_late"])])
        self.assertEqual(self.said()["about"], [])

    def test_a_target_that_is_retired_ends_it_too(self):
        told("nightly", hours_ago=27)
        self.step()
        self.assertEqual(self.firing(), {"backup_late"})
        output_of("backup_note", "nightly", "--forget")
        self.step()
        self.assertEqual(self.status("backup_late"), "resolved")

    @pytest.mark.embedded
    def test_the_threshold_is_the_settings(self):
        text = "from monitoring.alerts import RULES; print(*[r.threshold for r in RULES if r.name == 'backup_late'])"
        with tempfile.TemporaryDirectory() as folder:
            environment = an_environment(Path(folder), KOSHFLOW_ENV="test", BACKUP_MAX_AGE_HOURS="30")
            ended = warm.python(["manage.py", "shell", "-v", "0", "-c", text], environment)
        self.assertEqual(ended.stdout, f"{30 * 3600}\n", ended.stderr)


class Probe(TransactionTestCase):
    """`backup:age` in /health/detailed."""

    def setUp(self):
        self.addCleanup(connections.close_all)

    def found(self):
        [reading] = [one for one in OperationProbe()() if one.name == "backup:age"]
        return reading

    def test_where_none_was_told_it_is_no_pass_and_no_loss_to_whoever_is_served(self):
        reading = self.found()
        self.assertEqual((reading.name, reading.status, reading.output), ("backup:age", Status.WARN, "not configured"))
        self.assertEqual(overall([reading]), Health.OK)

    def test_the_oldest_counts_and_all_that_are_late_are_named(self):
        told("files", hours_ago=1)
        told("nightly", hours_ago=25)
        reading = self.found()
        self.assertEqual((reading.status, reading.unit, reading.output), (Status.PASS, "s", ""))
        self.assertAlmostEqual(reading.value, 25 * 3600, delta=60)
        told("weekly", hours_ago=27)
        with override_settings(BACKUP_MAX_AGE_HOURS=24):
            reading = self.found()
        self.assertEqual((reading.status, reading.output), (Status.WARN, "late: weekly, nightly"))
        self.assertEqual((overall([reading]), reading.is_required), (Health.DEGRADED, False))

    def test_a_database_that_refuses_is_a_warning_of_its_own(self):
        refused = OperationalError("host db.internal")
        with patch("monitoring.health.operation.known_backups", side_effect=refused):
            reading = self.found()
        self.assertEqual((reading.status, reading.output), (Status.WARN, "OperationalError"))


class Shown(TransactionTestCase):
    """In /metrics, by target, the same on every host."""

    def setUp(self):
        watcher.forget()
        self.addCleanup(watcher.forget)
        self.addCleanup(connections.close_all)

    def samples(self):
        watcher.forget()
        return [line for line in Snapshot().text().splitlines() if line.startswith("kf_backup_") and "{target=" in line]

    def test_when_one_is_late_is_told_in_seconds_whatever_is_known(self):
        [rule] = [one for one in RULES if one.name == "backup_late"]
        self.assertIn(f"\n{MAX_AGE} {rule.threshold:.1f}\n", Snapshot().text())
        with override_settings(BACKUP_MAX_AGE_HOURS=30):
            self.assertIn(f"\n{MAX_AGE} 108000.0\n", Snapshot().text())

    def test_each_target_with_its_time_and_size_and_none_once_it_is_forgotten(self):
        self.assertEqual(self.samples(), [])
        at = told("nightly", hours_ago=2, size_bytes=12345)
        told("snap_1", hours_ago=1)
        lines = dict(line.rsplit(" ", 1) for line in self.samples())
        self.assertEqual(
            set(lines),
            {
                'kf_backup_last_success_timestamp_seconds{target="nightly"}',
                'kf_backup_last_success_timestamp_seconds{target="snap_1"}',
                'kf_backup_size_bytes{target="nightly"}',
            },
        )
        self.assertEqual(float(lines['kf_backup_size_bytes{target="nightly"}']), 12345)
        finished = float(lines['kf_backup_last_success_timestamp_seconds{target="nightly"}'])
        self.assertAlmostEqual(finished, at.timestamp(), places=3)
        forget_target("nightly", operator="root")
        self.assertEqual(len(self.samples()), 1)


@pytest.mark.embedded
class OnTheDashboard(AdminTestCase):
    """The tile "Last backup"."""

    def tile(self):
        page = self.client.get("/admin/monitoring/metricseries/").content.decode()
        return page.partition("<dt>Last backup</dt>")[0][-30:], page.partition("<dt>Last backup</dt>")[2][:80]

    def test_it_shows_the_oldest_and_is_red_when_one_is_late(self):
        self.enter()
        told("nightly", hours_ago=25)
        told("files", hours_ago=1)
        before, after = self.tile()
        self.assertIn("<dd>nightly, 25 h ago<", after)
        self.assertNotIn("bad", before)
        told("weekly", hours_ago=27)
        before, after = self.tile()
        self.assertIn("<dd>weekly, 27 h ago; 1 of 3 LATE<", after)
        self.assertIn('class="bad"', before)


class SecurityAudit(TestCase):
    """In production it is a finding that no job ever told of a backup; elsewhere nobody asks."""

    def test_it(self):
        with override_settings(ENVIRONMENT="local"):
            self.assertEqual(found(ids="KF.M"), set())
        with override_settings(ENVIRONMENT="production"):
            self.assertEqual(found(ids="KF.M"), {"KF.M001"})
            told("nightly", hours_ago=100)
            self.assertEqual(found(ids="KF.M"), set())
