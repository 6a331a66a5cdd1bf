"""The trail of changes as an auditor reads it after a seal."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from security.audit import AuditEvent
from security.audit.leaf import Leaf
from security.tlog import seal_pending
from security.trail.models import AuditChange
from tests.base import CommittingApiTestCase
from tests.security.tlog.log import switch_off_triggers, switch_on_triggers

IS_POSTGRESQL = connection.vendor == "postgresql"
CHANGED, OUT_OF_BAND = "records.changed", "record.out_of_band"


def run(sql: str, *values: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.rowcount


def another_client() -> Any:
    """A plain connection to the same database, of somebody who never heard of us."""
    place = connection.settings_dict
    if not IS_POSTGRESQL:
        return sqlite3.connect(place["NAME"], isolation_level=None)
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    return psycopg.connect(**{key: place[name] for key, name in names.items() if place[name]}, autocommit=True)


@contextmanager
def unguarded_notes() -> Iterator[None]:
    """As whoever owns the table of notes can have it."""
    switch_off_triggers("audit_change")
    try:
        yield
    finally:
        switch_on_triggers("audit_change")


class TrailCase(CommittingApiTestCase):
    """Everything commits: a transaction is what puts a change and its event together."""

    def forget(self) -> None:
        """Seal what the test prepared, and look at what follows only."""
        seal_pending()
        self.seen = AuditEvent.objects.latest("pk").pk

    def told(self, type_: str) -> list[Leaf]:
        """What was told since, in order."""
        seal_pending()
        self.assertFalse(AuditChange.objects.exists())
        events = AuditEvent.objects.filter(type=type_, pk__gt=getattr(self, "seen", 0)).order_by("pk")
        return [event.parsed_leaf() for event in events]

    def only(self, type_: str) -> Leaf:
        """The one event of the trail since, which is of this type."""
        [leaf] = self.told(type_)
        self.assertEqual(self.told(OUT_OF_BAND if type_ == CHANGED else CHANGED), [])
        return leaf

    def change(self, leaf: Leaf, table: str, operation: str) -> dict[str, Any]:
        """The one change of this kind in it."""
        [change] = [c for c in leaf.data["changes"] if (c["table"], c["op"]) == (table, operation)]
        return change
