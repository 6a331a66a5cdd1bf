"""What tests of advice stand on: a table of shelves, and three statements that ran on it."""

import os
from typing import Any

import psycopg
from django.db import connection
from django.db.models import F
from django.test import TransactionTestCase

from monitoring.database import flush
from monitoring.database.models import RecordedStatement
from monitoring.database.recorder import recorders

MARKER = "zx9marker"
_SCHEMA = [
    "CREATE TABLE shelf (id integer PRIMARY KEY, item integer, label varchar(40), state varchar(10), moved integer)",
    "CREATE INDEX shelf_item ON shelf (item)",
    "CREATE INDEX shelf_item_moved ON shelf (item, moved)",
    "CREATE UNIQUE INDEX shelf_moved ON shelf (moved)",
]
_ASKED = [
    ("SELECT id FROM shelf WHERE label = %s", [f"{MARKER}7"]),
    ("SELECT id FROM shelf WHERE item = %s ORDER BY moved LIMIT 10", [7]),
    ("SELECT count(*) FROM shelf WHERE state = %s", ["there"]),
]
ROWS = 20_000
# By the database itself: row by row from here took PostgreSQL four times as long, at each test.
_FILL = f"""
INSERT INTO shelf WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < {ROWS - 1})
SELECT n, n % 2000, '{MARKER}' || n, CASE WHEN n % 100 = 0 THEN 'gone' ELSE 'there' END, n FROM number
"""


class Shelves(TransactionTestCase):
    """A table of twenty thousand rows, on which three statements ran: one without an index, one with, one in vain."""

    def setUp(self):
        with connection.cursor() as cursor:
            for text in _SCHEMA:
                cursor.execute(text)
            cursor.execute(_FILL)
            cursor.execute("ANALYZE")
            self.addCleanup(self.drop)
            for recorder in recorders():
                recorder.forget()
            for sql, params in _ASKED * 6:
                cursor.execute(sql, params)
        flush()
        # What they took here says nothing; as if each had taken 20 ms.
        RecordedStatement.objects.update(total_ms=F("calls") * 20)
        RecordedStatement.objects.exclude(text__contains="shelf").delete()
        RecordedStatement.objects.filter(operation="insert").delete()

    def as_superuser(self) -> Any:
        url = os.environ.get("TEST_DATABASE_SUPERUSER_URL", "")
        if not url:
            self.skipTest("no superuser")
        return psycopg.connect(f"{url.rpartition('/')[0]}/{connection.settings_dict['NAME']}", autocommit=True)

    def drop(self):
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE shelf")
