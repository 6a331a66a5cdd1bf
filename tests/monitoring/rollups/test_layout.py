"""How the points lie in a file of SQLite's."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import TransactionTestCase

from monitoring.rollups import fold_rollups
from monitoring.rollups.selecting import Key
from monitoring.rollups.store import SeriesIds, add

pytestmark = pytest.mark.embedded
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class OnSqlite(TransactionTestCase):
    """Points lie in the order of their key, so that a panel reads its lines in one go."""

    def test_no_row_lies_apart_from_its_key(self):
        # Django makes such a table anew, as a plain one, for a column that changes: that migration must lay it out too.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE sql LIKE '% WITHOUT ROWID' OR name = 'metric_point_time'"
            )
            laid_out = {name for (name,) in cursor.fetchall()}
        self.assertEqual(laid_out, {"metric_point", "metric_day", "metric_point_time"})

    def test_a_copy_is_found_whole(self):
        add({Key("kf_sum_requests", ()): 1.5}, {}, at=NOON, ids=SeriesIds())
        fold_rollups(NOON)
        with connection.cursor() as cursor:
            for table in ("metric_point", "metric_day"):
                cursor.execute(f"PRAGMA integrity_check({table})")
                self.assertEqual(cursor.fetchall(), [("ok",)], table)
