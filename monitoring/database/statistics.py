"""The planner's statistics of SQLite, made anew each day. PostgreSQL's autovacuum sees to its own."""

from django.db import connection


def refresh_statistics() -> bool:
    """Let SQLite look at its tables; False on another database. Idempotent.

    Without them it knows no table's size, takes the first index that fits, and advice guesses as it does.
    """
    if connection.vendor != "sqlite":
        return False
    with connection.cursor() as cursor:
        # Not `PRAGMA optimize`: before 3.46 it looks at no table that this very connection has not asked.
        # Rows of each index that are looked at: the time does not grow with the tables (SQLite, "Approximate ANALYZE").
        cursor.execute("PRAGMA analysis_limit = 400")
        cursor.execute("ANALYZE")
    return True
