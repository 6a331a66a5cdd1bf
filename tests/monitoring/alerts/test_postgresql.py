"""Rules about the inner state of PostgreSQL, on a PostgreSQL that is in that state."""

import os
import threading
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import replace
from unittest.mock import patch

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import TestCase

from monitoring.alerts import RULES
from monitoring.alerts.gauges import GAUGES
from monitoring.database import pool
from monitoring.rollups.counting import totals
from monitoring.rollups.selecting import Key
from tests.monitoring.alerts.cases import AlertCase, named
from tests.monitoring.alerts.runbooks import questions

pytestmark = pytest.mark.real
SUPERUSER = os.environ.get("TEST_DATABASE_SUPERUSER_URL", "")
SEGMENT = 16 * 1024 * 1024
RULE = {rule.name: rule for rule in RULES}


@contextmanager
def another():
    """A connection to the test's database whose statements stand at once."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            yield cursor
    finally:
        other.close()


class Runbooks(TestCase):
    """What a runbook has you ask, PostgreSQL understands."""

    def test_every_question(self):
        asked = questions()
        self.assertGreater(len(asked), 10)
        for rule, statement in asked:
            with self.subTest(f"{rule}: {statement}"), connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {statement}".replace("%", "%%"), [])
                self.assertTrue(cursor.fetchall())


class Invalid(AlertCase):
    """An index whose building failed is told after an hour; one that was repaired is not."""

    rules = named("invalid_index", "long_query", "rules_not_evaluated")

    def setUp(self):
        super().setUp()
        with another() as cursor:
            cursor.execute("CREATE TABLE doubles (number int)")
            self.addCleanup(self.clean)
            cursor.execute("INSERT INTO doubles VALUES (1), (1)")

    def clean(self):
        with another() as cursor:
            cursor.execute("DROP TABLE doubles")

    def fail_to_build(self):
        with another() as cursor, suppress(Exception):
            cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY doubles_once ON doubles (number)")

    def hours(self, count):
        for _ in range(int(count * 12)):
            self.step(300)

    def test_it_fires_after_an_hour_and_ends_when_it_is_gone(self):
        self.fail_to_build()
        self.hours(0.9)
        self.assertNotIn("invalid_index", self.firing())
        self.hours(0.3)
        self.assertIn("invalid_index", self.firing())
        with another() as cursor:
            cursor.execute("DROP INDEX doubles_once")
        self.step(300)
        self.assertEqual(self.status("invalid_index"), "resolved")

    def test_a_good_one_is_silent(self):
        with another() as cursor:
            cursor.execute("CREATE INDEX doubles_any ON doubles (number)")
        self.hours(1.2)
        self.assertEqual(self.status("invalid_index"), "ok")


class Connections(TestCase):
    """What is taken of the connections is counted of every role, also where ours may see no more of the others."""

    @pytest.mark.skipif(not SUPERUSER, reason="no superuser")
    def test_those_of_others_count(self):
        taken = GAUGES["db_connections_ratio"]
        before = taken(None)
        others = [psycopg.connect(SUPERUSER) for _ in range(12)]  # of tests beside this one some may end meanwhile
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_stat_clear_snapshot(), current_setting('max_connections')::int")
                most = cursor.fetchone()[1]
            self.assertGreaterEqual(round((taken(None) - before) * most), 5)
        finally:
            for other in others:
                other.close()


class Wraparound(AlertCase):
    """The age of the oldest row, held against the age at which VACUUM drops everything else."""

    def limit(self, age):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL vacuum_failsafe_age = %d" % age)  # noqa: UP031 - no parameters there

    def age(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(age(datfrozenxid)) FROM pg_database")
            return cursor.fetchone()[0]

    def test_a_young_database_is_silent(self):
        self.step()
        self.assertEqual(self.firing(), set())

    def test_half_way_and_all_the_way(self):
        age = self.age()
        self.limit(int(age * 1.5))
        self.step()
        self.assertEqual(self.firing(), {"transaction_wraparound"})
        self.limit(int(age * 0.9))
        self.step(300)
        self.assertEqual(self.firing(), {"transaction_wraparound", "transaction_wraparound_critical"})


class Replica(AlertCase):
    """A slot whose replica is away falls behind with each segment that is written; without one nothing is known."""

    def test_a_slot_that_nobody_reads(self):
        if not SUPERUSER:
            self.skipTest("no superuser to make a slot")
        measure = GAUGES["db_replica_behind_bytes"]
        self.assertIsNone(measure(self.now))
        with self.superuser() as cursor:
            cursor.execute("SELECT pg_create_physical_replication_slot('away', true)")
            try:
                # Other tests write to this server too; a hundred megabytes in the moment of four runs they do not.
                # The rule's own 256 MiB for five minutes would be written, and waited, for this alone.
                threshold = measure(self.now) + 6 * SEGMENT
                self.watch(threshold)
                self.assertEqual(self.firing(), set())
                while measure(self.now) <= threshold:
                    cursor.execute("SELECT pg_logical_emit_message(false, 'test', 'a word')")
                    cursor.execute("SELECT pg_switch_wal()")
                self.watch(threshold)
                self.assertEqual(self.firing(), {"replica_behind"})
            finally:
                cursor.execute("SELECT pg_drop_replication_slot('away')")

    def watch(self, threshold):
        rule = replace(RULE["replica_behind"], threshold=threshold, clear=0, for_seconds=30)
        for _ in range(4):
            self.step(15, rules=(rule,))

    @contextmanager
    def superuser(self):
        with psycopg.connect(SUPERUSER, autocommit=True) as other:
            yield other.cursor()


class Misses(AlertCase):
    """Blocks that came from the disk, of those asked for, once there are enough."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # More than the server keeps in memory: what is read whole is read from the disk each time.
        with another() as cursor:
            cursor.execute(
                "CREATE TABLE large AS SELECT repeat(md5(n::text), 60) AS words FROM generate_series(1, 25000) n"
            )
        cls.addClassCleanup(cls.clean)

    @classmethod
    def clean(cls):
        with another() as cursor:
            cursor.execute("DROP TABLE large")

    def read(self, rows="large"):
        with another() as cursor:
            cursor.execute(f"SELECT count(*) FROM {rows} AS read WHERE words = ''")
            cursor.execute("SELECT pg_stat_force_next_flush()")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")

    def watch(self, least, minutes, **which):
        expression = replace(RULE["database_cache_misses"].expression, least=least)
        rule = replace(RULE["database_cache_misses"], expression=expression)
        for _ in range(0, minutes, 5):
            self.read(**which)
            self.step(300, rules=(rule,))
        return self.firing()

    def test_a_database_that_reads_from_the_disk(self):
        self.assertEqual(self.watch(100, 20), set())
        self.assertEqual(self.watch(100, 25), {"database_cache_misses"})

    def test_one_that_finds_it_in_memory(self):
        self.read()
        few = "(SELECT words FROM large WHERE ctid < '(400,0)')"
        self.read(few)
        self.assertEqual(self.watch(100, 45, rows=few), set())

    def test_too_little_to_say(self):
        self.assertEqual(self.watch(1e9, 45), set())


class Waiting(AlertCase):
    """What a request waits for a connection of the pool, in vain too, reaches the counter that the rules look at."""

    def test_a_pool_of_one_that_is_taken(self):
        settings = deepcopy(connection.settings_dict)
        settings["CONN_MAX_AGE"] = 0
        settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1, "timeout": 0.3}
        holder, waiter = (DatabaseWrapper(settings, alias="pooled") for _ in range(2))
        self.addCleanup(holder.close_pool)
        holder.ensure_connection()
        self.addCleanup(holder.close)
        refused = []

        def wait():
            try:
                waiter.ensure_connection()
            except OperationalError as error:
                refused.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(5)
        self.assertEqual(len(refused), 1)
        with patch.object(pool, "_connections", {holder}):
            pool.publish_pool()
        key = Key(RULE["pool_waiting"].expression.of.name, (("alias", "pooled"),))
        self.assertGreaterEqual(totals()[key], 0.2)
