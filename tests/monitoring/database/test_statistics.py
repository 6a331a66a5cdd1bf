"""What SQLite knows of its own tables."""

import pytest
from django.db import connection
from django.test import TestCase

from koshflow.schedule import SCHEDULE
from monitoring.database import refresh_statistics
from monitoring.database.advice.sqlite_copy import has_statistics
from security.crypto import SubjectKey


class Statistics(TestCase):
    """The schedule makes them, and a second time they are of now; PostgreSQL is left alone."""

    def rows(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT stat FROM sqlite_stat1 WHERE tbl = %s", [SubjectKey._meta.db_table])
            return " ".join(stat for (stat,) in cursor.fetchall())

    @pytest.mark.embedded
    def test_they_are_made_and_made_anew(self):
        [entry] = [entry for entry in SCHEDULE if entry.run is refresh_statistics]
        for known in (3, 8):
            while SubjectKey.objects.count() < known:
                SubjectKey.objects.issue()
            self.assertTrue(entry.run())
            self.assertTrue(has_statistics(connection.connection))
            self.assertIn(str(known), self.rows())

    @pytest.mark.real
    def test_another_database_sees_to_its_own(self):
        self.assertFalse(refresh_statistics())
