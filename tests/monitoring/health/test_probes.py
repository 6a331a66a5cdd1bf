"""What the real probes find, on the database and cache of this leg."""

import tempfile
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext
from redis.exceptions import RedisError

from monitoring.health.probes import AuditProbe, CacheProbe, DatabaseProbe, DiskProbe
from monitoring.health.readings import Health, Status, overall
from security.audit import Action, record
from security.tlog import AuditAnchor, AuditCheckpoint, seal_pending
from security.tlog.note import COSIGNATURE, cosignature, verifier_key

PLAN = "monitoring.health.probes.MigrationExecutor.migration_plan"
UNREACHABLE = {
    "security": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.1, "SOCKET_TIMEOUT": 0.1},
    }
}


class Database(TransactionTestCase):
    """A round trip over a connection of the probe's own, and no migration left to apply."""

    def test_a_round_trip_in_milliseconds(self):
        with patch(PLAN, return_value=[]):
            round_trip, migrations = DatabaseProbe()()
        self.assertEqual((round_trip.name, round_trip.status), ("database:responseTime", Status.PASS))
        self.assertGreater(round_trip.value, 0)
        self.assertEqual(
            (migrations.name, migrations.status, migrations.value), ("database:migrations", Status.PASS, 0)
        )

    def test_an_unapplied_migration_cannot_serve(self):
        with patch(PLAN, return_value=[("accounts.0002", False)]):
            readings = DatabaseProbe()()
        self.assertEqual(readings[1].value, 1)
        self.assertEqual(overall(readings), Health.UNAVAILABLE)

    @pytest.mark.real
    def test_one_that_takes_no_event_cannot_serve(self):
        """A standby, a provider that let nobody write to a disk that is full, a restore under another owner."""
        with self.subTest("read-only"):
            connection.close()  # the probe's is a new one
            options = connection.settings_dict["OPTIONS"]
            with patch.dict(options, options=f"{options.get('options', '')} -c default_transaction_read_only=on"):
                readings = DatabaseProbe()()
            self.assertEqual((readings[0].output, overall(readings)), ("read-only", Health.UNAVAILABLE))
        with self.subTest("the audit log alone"):
            with connection.cursor() as cursor:
                cursor.execute("REVOKE INSERT ON audit_event FROM CURRENT_USER")
            try:
                readings = DatabaseProbe()()
            finally:
                with connection.cursor() as cursor:
                    cursor.execute("GRANT INSERT ON audit_event TO CURRENT_USER")
            self.assertEqual((readings[0].output, overall(readings)), ("takes no audit event", Health.UNAVAILABLE))

    def test_migrations_are_looked_at_once_a_minute_while_they_are_applied(self):
        probe = DatabaseProbe()
        with patch(PLAN, return_value=[]) as plan:
            probe()
            probe()
        self.assertEqual(plan.call_count, 1)

    def test_unapplied_ones_are_looked_at_each_time(self):
        probe = DatabaseProbe()
        with patch(PLAN, return_value=[("accounts.0002", False)]) as plan:
            probe()
            probe()
        self.assertEqual(plan.call_count, 2)

    def test_it_writes_nothing(self):
        with CaptureQueriesContext(connection) as queries:
            DatabaseProbe()()
        for query in queries:
            # SET and PRAGMA are what Django says to a connection that it opens.
            self.assertRegex(query["sql"].strip(), r"(?is)^(SELECT|PRAGMA|SET)\b")

    def test_a_later_run_is_one_statement(self):
        probe = DatabaseProbe()
        probe()
        connection.ensure_connection()
        with self.assertNumQueries(1):
            probe()


class Cache(SimpleTestCase):
    """A value written can be read back; nothing that fails is hidden."""

    def test_a_round_trip(self):
        (reading,) = CacheProbe()()
        self.assertEqual((reading.name, reading.status, reading.unit), ("cache:responseTime", Status.PASS, "ms"))

    @override_settings(CACHES=UNREACHABLE)
    def test_an_unreachable_store_raises(self):
        with self.assertRaises(RedisError):
            CacheProbe()()

    @override_settings(CACHES={"security": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}})
    def test_a_store_that_keeps_nothing_fails(self):
        (reading,) = CacheProbe()()
        self.assertEqual((reading.status, reading.is_required), (Status.FAIL, False))


class Disk(SimpleTestCase):
    """Less than 15 percent free is a warning and no more: the process still serves."""

    def reading(self, *, free):
        usage = namedtuple("usage", "total used free")(1000, 1000 - free, free)
        with patch("monitoring.health.probes.shutil.disk_usage", return_value=usage):
            (reading,) = DiskProbe(Path(tempfile.gettempdir()))()
        return reading

    def test_at_fifteen_percent_it_passes(self):
        self.assertEqual((self.reading(free=150).status, self.reading(free=150).value), (Status.PASS, 15.0))

    def test_below_it_warns_and_degrades(self):
        reading = self.reading(free=149)
        self.assertEqual(reading.status, Status.WARN)
        self.assertEqual(overall([reading]), Health.DEGRADED)

    def test_a_folder_that_is_not_there_yet_is_measured_where_it_will_be(self):
        (reading,) = DiskProbe(Path(tempfile.gettempdir()) / "not" / "yet")()
        self.assertGreater(reading.value, 0)


class AuditLag(TransactionTestCase):
    """How long the oldest event has waited for its seal."""

    def test_a_log_that_is_sealed_does_not_lag(self):
        self.act()
        seal_pending()
        (reading,) = AuditProbe()()
        self.assertEqual((reading.name, reading.status, reading.value), ("audit:sealLag", Status.PASS, 0.0))

    def test_an_event_that_waits_for_over_a_minute_is_a_warning(self):
        with time_machine.travel(datetime.now(UTC) - timedelta(seconds=59), tick=False):
            self.act()
        self.assertEqual(AuditProbe()()[0].status, Status.PASS)
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=5)):
            (reading,) = AuditProbe()()
        self.assertEqual((reading.status, reading.is_required), (Status.WARN, False))
        self.assertGreater(reading.value, 60)

    def test_without_a_witness_nothing_is_said_of_one(self):
        self.assertEqual([reading.name for reading in AuditProbe()()], ["audit:sealLag"])

    def test_a_checkpoint_that_a_witness_has_not_cosigned_for_over_a_minute_is_a_warning(self):
        self.act()
        seal_pending()
        private, last = Ed25519PrivateKey.generate(), AuditCheckpoint.objects.get()
        key = verifier_key("witness.example.in", private, algorithm=COSIGNATURE)
        note = last.note + cosignature(last.as_checkpoint().text, name=key.name, private=private, seen_at=1)
        with self.settings(AUDIT_WITNESSES=[f"https://witness.example.in {key}"]):
            self.assertEqual(self.witness_reading(after=59).status, Status.PASS)
            late = self.witness_reading(after=65)
            self.assertEqual((late.name, late.status, late.is_required), ("audit:witnessLag", Status.WARN, False))
            self.assertGreater(late.value, 60)
            for one in ({"sink": "another", "size": 1}, {"sink": key.name, "size": 7}):
                AuditAnchor.objects.create(**one, note="", seen_at=datetime.now(UTC))
                self.assertEqual(self.witness_reading(after=65).status, Status.WARN)
            AuditAnchor.objects.create(sink=key.name, size=1, note=note, seen_at=datetime.now(UTC))
            self.assertEqual((self.witness_reading(after=65).value, self.witness_reading(after=65).output), (0.0, ""))

    def test_a_witness_that_is_misnamed_is_a_warning(self):
        with self.settings(AUDIT_WITNESSES=["https://witness.example.in nonsense"]):
            self.assertEqual(AuditProbe()()[0].status, Status.WARN)

    def test_a_siem_that_does_not_get_what_is_sealed_for_two_minutes_is_a_warning(self):
        self.act()
        seal_pending()
        with self.settings(AUDIT_SYSLOG="tcp://127.0.0.1:9"):
            waits = self.witness_reading(after=100)
            self.assertEqual((waits.name, waits.status), ("audit:forwardLag", Status.PASS))
            late = self.witness_reading(after=125)
            self.assertEqual((late.status, late.is_required), (Status.WARN, False))
            self.assertEqual(late.output, "events do not reach the SIEM")

    def witness_reading(self, *, after):
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=after), tick=False):
            return AuditProbe()()[1]

    def act(self):
        with transaction.atomic():
            record(Action.KEYS_ADDED)
