"""A walk over every watched table: each row that comes or goes is noted, and each column that raw SQL changes."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, Permission
from django.db import connection, models, transaction
from django.test import TestCase
from django.utils import timezone

from accounts.erasure.models import Basis, LegalHold, Withheld
from accounts.identity.models import User
from accounts.login.services import sign_in
from accounts.passwords.models import PasswordReset
from accounts.twofactor.models import RecoveryCode, TotpDevice
from monitoring.alerts.models import AlertSilence
from monitoring.backups.models import LastBackup
from security.trail import Audited, audited
from security.trail.models import AuditChange
from tests.factories import asha
from tests.security.trail.trail import IS_POSTGRESQL, run

_OTHER = {
    "AutoField": 4711,
    "BigAutoField": 4711,
    "BigIntegerField": 4711,
    "BinaryField": b"other",
    "CharField": "other",
    "DateField": date(2031, 1, 1),
    "DateTimeField": datetime(2031, 1, 1, tzinfo=UTC),
    "EmailField": "other",
    "PositiveIntegerField": 4711,
    "UUIDField": uuid4(),
}


def a_row_of_each(person: User) -> list[models.Model]:
    """A row of each watched table: whoever watches another puts one here."""
    now = timezone.now()
    group, permission = Group.objects.create(name="Auditor"), Permission.objects.all()[0]
    of_person: dict[str, Any] = {"user": person, "created_at": now}
    silence: dict[str, Any] = {"author": "omar", "reason": "OPS-7", "created_at": now, "until": now}
    hold: dict[str, Any] = {"basis": Basis.DISPUTE, "reason": "OPS-7", "placed_by": "omar", "placed_at": now}
    return [
        person.subject,
        person,
        person.company,
        sign_in(user=person, amr="pwd").session,
        PasswordReset.objects.create(**of_person, token_hash=b"h" * 32, expires_at=datetime(2030, 1, 1, tzinfo=UTC)),
        TotpDevice.objects.create(**of_person, secret="JBSWY3DPEHPK3PXP"),
        RecoveryCode.objects.create(user=person, code_hash=b"h" * 32),
        User.groups.through.objects.create(user=person, group=group),
        User.user_permissions.through.objects.create(user=person, permission=permission),
        group,
        Group.permissions.through.objects.create(group=group, permission=permission),
        LegalHold.objects.create(**hold, subject=person.subject),
        Withheld.objects.create(subject=person.subject, identity="{}", erased_at=now),
        AlertSilence.objects.create(**silence, rule="server_errors"),
        LastBackup.objects.create(target="database", finished_at=now),
    ]


class EveryTable(TestCase):
    def setUp(self):
        self.rows = {row._meta.db_table: row for row in a_row_of_each(asha())}

    def noted(self, entry: Audited, operation: str) -> AuditChange:
        """The one note of what happened since, which is of this table."""
        [note] = AuditChange.objects.filter(pk__gt=self.last)
        self.assertEqual((note.table, note.operation), (entry.table, operation))
        return note

    def forget(self) -> None:
        self.last = AuditChange.objects.latest("pk").pk

    def test_each_row_that_came_was_noted(self):
        noted = set(AuditChange.objects.filter(operation="insert").values_list("table", flat=True))
        self.assertEqual(set(self.rows), {entry.table for entry in audited()})
        self.assertEqual(noted, {entry.table for entry in audited() if entry.inserts})

    def test_each_watched_column_and_the_end_of_each_row(self):
        for entry in audited():
            row = self.rows[entry.table]
            with transaction.atomic():
                self.lift_constraints(entry.table)
                for column in entry.watched:
                    with self.subTest(f"{entry.table}.{column}"):
                        self.assertDiffers(self.update(entry, row, column), column.removesuffix("_id"), column)
                with self.subTest(f"{entry.table}, DELETE"):
                    self.forget()
                    run(f"DELETE FROM {entry.table} WHERE {self.where(row)}")
                    self.noted(entry, "delete")
                transaction.set_rollback(True)

    def update(self, entry: Audited, row: models.Model, column: str) -> AuditChange:
        field: Any = next(field for field in row._meta.concrete_fields if field.column == column)
        plain = getattr(field, "target_field", field)
        kind = plain.get_internal_type()
        value = not getattr(row, field.attname) if kind == "BooleanField" else _OTHER[kind]
        value = value if kind == "BinaryField" else plain.get_db_prep_value(value, connection)
        with transaction.atomic():
            self.forget()
            run(f"UPDATE {entry.table} SET {column} = %s WHERE {self.where(row)}", value)
            note = self.noted(entry, "update")
            transaction.set_rollback(True)  # a row is found by its id, which is a column too
        return note

    def where(self, row: models.Model) -> str:
        key: Any = row._meta.pk
        value = getattr(key, "target_field", key).get_db_prep_value(row.pk, connection)
        return f"{key.column} = '{value}'"

    def assertDiffers(self, note: AuditChange, *names: str) -> None:
        before, after = note.old_values or {}, note.new_values or {}
        self.assertTrue(any(before.get(name) != after.get(name) for name in names), (before, after))

    def lift_constraints(self, table: str) -> None:
        """What a column may be is not asked here; it comes back with the transaction."""
        if not IS_POSTGRESQL:
            run("PRAGMA ignore_check_constraints = ON")
            self.addCleanup(run, "PRAGMA ignore_check_constraints = OFF")
            return
        run("SET CONSTRAINTS ALL IMMEDIATE")
        with connection.cursor() as cursor:
            cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass", [table])
            names = [name for (name,) in cursor.fetchall()]
        for name in names:
            run(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name} CASCADE")
