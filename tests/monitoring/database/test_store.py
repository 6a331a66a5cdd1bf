"""What was added up is written once, and nothing of it is lost or held up by what cannot be written."""

import threading
from unittest.mock import patch

from django.db import DatabaseError
from django.utils import timezone

from accounts.identity.models import User
from monitoring.database import store
from monitoring.database.flusher import Flusher
from monitoring.database.models import RecordedStatement
from monitoring.metrics.registry import metrics
from tests.base import CommittingApiTestCase
from tests.monitoring.database.recording import MARKER, Recording, ask


class Writing(Recording, CommittingApiTestCase):
    """A flush takes what there is, and what the database does not take waits or is named."""

    def test_what_comes_in_while_it_writes_is_kept_for_the_next_time(self):
        ask()
        statement = next(one for one in self.recorder.statements.values() if one.calls)
        statement.longest, statement.rows = 5.0, 7
        real = store._add

        def busy(*arguments):
            statement.longest, statement.rows, statement.calls, statement.site = 3.0, 9, 1, "here"
            return real(*arguments)

        with patch("monitoring.database.store._add", busy):
            store.flush()
        self.assertEqual((statement.longest, statement.rows, statement.calls, statement.site), (3.0, 9, 1, "here"))
        row = RecordedStatement.objects.get(fingerprint=statement.folded.fingerprint)
        self.assertEqual((row.calls, row.max_ms, row.rows), (1, 5000, 7))

    def test_what_was_not_written_is_added_to_what_came_in_meanwhile(self):
        ask()
        statement = next(one for one in self.recorder.statements.values() if one.calls)
        statement.longest = 5.0

        def away(*_arguments):
            statement.longest, statement.rows, statement.calls = 3.0, 9, 2
            raise DatabaseError

        with patch("monitoring.database.store._add", away), self.assertRaises(DatabaseError):
            store.flush()
        self.assertEqual((statement.longest, statement.rows, statement.calls), (5.0, 9, 3))
        self.assertEqual(statement.sample, (MARKER,))

    def test_a_row_that_is_refused_costs_no_other(self):
        ask()
        User.objects.filter(name=MARKER).exists()
        bad = next(one for one in self.recorder.statements.values() if '"name" = ' in one.folded.text)
        bad.calls = 2**70  # more than any column holds
        lost = metrics().db_records_lost.labels("default")._value.get()
        with self.assertLogs("koshflow.database", "WARNING") as logs:
            store.flush()
        self.assertEqual(
            [(r.msg, r.sql_fingerprint) for r in logs.records], [("statement_not_kept", bad.folded.fingerprint)]
        )
        self.assertEqual(metrics().db_records_lost.labels("default")._value.get() - lost, 1)
        self.assertEqual((self.row("accounts_user", '"email" = ').calls, bad.calls), (1, 0))

    def test_values_of_an_unknown_form_cost_no_number(self):
        ask()
        with (
            patch("monitoring.database.store.shapes", side_effect=TypeError),
            self.assertLogs("koshflow.database", "WARNING") as logs,
        ):
            store.flush()
        self.assertEqual({record.msg for record in logs.records}, {"statement_shapes_unknown"})
        row = self.row("accounts_user", "email", "=")
        self.assertEqual((row.calls, row.shapes), (1, []))

    def test_nothing_is_lost_where_the_row_cannot_be_written(self):
        ask()
        with patch("monitoring.database.store._add", side_effect=DatabaseError), self.assertRaises(DatabaseError):
            store.flush()
        store.flush()
        self.assertEqual(self.row("accounts_user", "email", "=").calls, 1)

    def test_the_thread_writes_and_does_not_record_itself(self):
        ask()
        flusher = Flusher(interval_seconds=0.01)
        flusher.start()
        for _ in range(500):
            if RecordedStatement.objects.filter(text__contains="accounts_user").exists():
                break
            threading.Event().wait(0.01)
        flusher.stop(timeout_seconds=10)
        store.flush()
        self.assertFalse(RecordedStatement.objects.filter(text__startswith="INSERT INTO monitoring_statement").exists())
        self.assertEqual(self.row("accounts_user", "email", "=").calls, 1)

    def test_old_rows_and_rows_above_the_bound_go(self):
        ask()
        store.flush()
        row = self.row("accounts_user", "email", "=")
        now = timezone.now()
        many = [
            RecordedStatement(
                alias="default", fingerprint=f"{n:016}", operation="select", text="SELECT 1", calls=1, total_ms=1,
                max_ms=1, first_seen_at=now, last_seen_at=now,
            )
            for n in range(5)
        ]  # fmt: skip
        RecordedStatement.objects.bulk_create(many)
        RecordedStatement.objects.filter(pk=row.pk).update(last_seen_at=now - store.KEPT * 2)
        with patch("monitoring.database.store.MAX_ROWS", 3):
            self.assertGreaterEqual(store.purge_statements(), 3)
        self.assertEqual(RecordedStatement.objects.count(), 3)
        self.assertFalse(RecordedStatement.objects.filter(pk=row.pk).exists())
