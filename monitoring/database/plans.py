"""Keeps the plan of each slow SELECT, asked for after the fact and beside the requests, and tells when it changes."""

import logging
from datetime import datetime, timedelta

from django.db import DatabaseError, connections
from django.db.models import Q
from django.utils import timezone

from monitoring.database.explain import digest, generic_plan, outline, planning, sqlite_plan
from monitoring.database.models import RecordedStatement

logger = logging.getLogger("koshflow.database")

EVERY = timedelta(hours=1)
AT_ONCE = 3


def plan_slow_statements(*, now: datetime | None = None) -> int:
    """Plan up to three slow SELECTs whose last plan is an hour old; how many.

    Whichever process comes first claims a row. Plans are for any values: none is ever known here.
    """
    now = now or timezone.now()
    due = Q(planned_at=None) | Q(planned_at__lt=now - EVERY)
    slow = RecordedStatement.objects.filter(due, operation="select", slow_calls__gt=0, last_seen_at__gt=now - EVERY)
    planned = 0
    for row in slow.order_by("-total_ms")[:AT_ONCE]:
        claimed = RecordedStatement.objects.filter(pk=row.pk, planned_at=row.planned_at).update(planned_at=now)
        if claimed and row.alias in connections:
            _plan(row, now)
            planned += 1
    return planned


def _plan(row: RecordedStatement, now: datetime) -> None:
    connection = connections[row.alias]
    try:
        with planning(connection) as cursor, connection.wrap_database_errors:
            if connection.vendor == "postgresql":
                found = generic_plan(cursor, row.text)
            else:
                found = sqlite_plan(cursor, row.text, row.text.count("$"))
    except DatabaseError as error:
        # A statement that cannot be planned without its values, or a table that is locked: the next hour tries again.
        logger.info("query_plan_unknown", extra={"sql_fingerprint": row.fingerprint}, exc_info=error)
        return
    lines = outline(found)
    changed = bool(row.plan_hash) and row.plan_hash != digest(lines)
    fields = {"plan": lines, "plan_hash": digest(lines)} | ({"plan_changed_at": now} if changed else {})
    RecordedStatement.objects.filter(pk=row.pk).update(**fields)
    if changed:
        logger.warning("query_plan_changed", extra={"sql_fingerprint": row.fingerprint, "plan": lines})
