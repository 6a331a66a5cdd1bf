"""What only a running installation shows: connection, clock, rights, rows that should not be there."""

import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
import time_machine
from django.conf import settings
from django.db import transaction
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone

from security.audit import Action, AuditEvent, record
from security.crypto import SubjectKey, keyring
from security.crypto.keyring import generate
from security.lockout import CredentialCounter
from security.outbox import OutboxMessage
from security.posture import NotVerified, live
from security.posture.services import audit_installation
from security.siem.models import AuditForward
from security.tlog import seal_pending
from tests.security.posture.plants import found

_LIVE = "security.posture.live"


def seen(*, production: bool = False, **told: object) -> set[str]:
    """Ids of what the live rules find, on PostgreSQL over the network when the answers of its server are `told`."""
    answers = {"is_connection_encrypted": True, "is_role_superuser": False, **told}
    at = {"vendor": "postgresql", "settings_dict": {"HOST": "db.example.in"}}
    with ExitStack() as stack:
        stack.enter_context(patch(f"{_LIVE}.connection", **at))
        stack.enter_context(patch(f"{_LIVE}.database_time", lambda: told.get("database_time") or timezone.now()))
        for name in ("is_connection_encrypted", "is_role_superuser"):
            stack.enter_context(patch(f"{_LIVE}.{name}", lambda name=name: answers[name]))
        stack.enter_context(patch("os.geteuid", lambda: told.get("uid", 1000)))
        stack.enter_context(patch("os.access", lambda *_: told.get("writable", False)))
        if production:
            stack.enter_context(override_settings(ENVIRONMENT="production"))
        return found(ids="KF.L")


class Stores(TestCase):
    """The database's own word counts, not the settings'."""

    def test_a_sound_installation_is_silent(self):
        self.assertEqual(seen(production=True), set())

    def test_a_connection_in_clear(self):
        self.assertEqual(seen(production=True, is_connection_encrypted=False), {"KF.L001"})

    def test_a_role_above_every_right(self):
        self.assertEqual(seen(production=True, is_role_superuser=True), {"KF.L003"})

    def test_a_process_that_is_root_or_may_change_its_code(self):
        self.assertEqual(seen(production=True, uid=0), {"KF.L004"})
        self.assertEqual(seen(production=True, writable=True), {"KF.L005"})

    def test_elsewhere_than_in_production_none_of_these_is_asked(self):
        self.assertEqual(seen(is_connection_encrypted=False, is_role_superuser=True, uid=0, writable=True), set())

    def test_a_clock_that_differs_by_more_than_five_seconds(self):
        for seconds, expected in ((-6, {"KF.L002"}), (-4, set()), (4, set()), (6, {"KF.L002"})):
            with self.subTest(seconds), time_machine.travel("2026-11-24T06:00:00Z", tick=False):
                there = timezone.now() + timedelta(seconds=seconds)
                self.assertEqual(seen(database_time=there), expected)

    @pytest.mark.real
    def test_postgresql_answers_each_question(self):
        """Against the server of the tests, whose role is a plain one and whose connection has no TLS."""
        self.assertFalse(live.is_connection_encrypted())
        self.assertFalse(live.is_role_superuser())
        self.assertLess(abs((live.database_time() - datetime.now(UTC)).total_seconds()), 60)

    @pytest.mark.real
    def test_a_database_that_does_not_tell_is_not_verified(self):
        with self.assertRaises(NotVerified):
            live._one("SELECT rolsuper FROM pg_roles WHERE rolname = ''")


class Offsets(SimpleTestCase):
    """Only the part of a difference that the round trip cannot explain counts."""

    def test_between_before_and_after_there_is_none(self):
        at = datetime(2026, 11, 24, tzinfo=UTC)
        cases = ((0, 0.0), (2, 0.0), (4, 0.0), (-7, 7.0), (10, 6.0))
        for seconds, expected in cases:
            there = at + timedelta(seconds=seconds)
            offset = live.offset_seconds(before=at, there=there, after=at + timedelta(seconds=4))
            self.assertEqual(offset, expected)


class Rows(TestCase):
    """Rows that a sound installation does not have."""

    def message(self, **fields):
        values = {"channel": "mail", "kind": "password_changed", "subject": SubjectKey.objects.issue()}
        return OutboxMessage.objects.create(**{**values, **fields})

    def test_messages_that_were_given_up(self):
        self.message()
        self.assertEqual(seen(), set())
        self.message(state="dead", settled_at=timezone.now(), last_error="SMTPRecipientsRefused")
        self.assertEqual(seen(), {"KF.L006"})

    def counters(self, number: int, *, count: int, hours: int = 1) -> None:
        now = timezone.now()
        CredentialCounter.objects.bulk_create(
            CredentialCounter(
                key=f"{at:064x}",
                account="a" * 64,
                address="b" * 64,
                count=count,
                started_at=now,
                expires_at=now + timedelta(hours=hours),
            )
            for at in range(number)
        )

    def test_more_than_twenty_lockouts(self):
        self.counters(21, count=settings.LOCKOUT_LIMIT)
        self.assertEqual(seen(), {"KF.L007"})

    def test_lockouts_of_an_ordinary_day(self):
        for fields in ({"number": 20, "count": 5}, {"number": 21, "count": 4}, {"number": 21, "count": 5, "hours": -1}):
            with self.subTest(fields), transaction.atomic():
                self.counters(**fields)
                self.assertEqual(seen(), set())
                CredentialCounter.objects.all().delete()

    def test_a_key_whose_wrapping_key_is_gone(self):
        subject = SubjectKey.objects.issue()
        SubjectKey.objects.filter(pk=subject.pk).update(kek_version=999)
        self.assertEqual(seen(), {"KF.L008"})
        SubjectKey.objects.filter(pk=subject.pk).update(wrapped=None, destroyed_at=timezone.now())
        self.assertEqual(seen(), set())

    def test_a_key_under_an_older_wrapping_key(self):
        subject = SubjectKey.objects.issue()
        self.assertEqual(seen(), set())
        ring = keyring()
        older = type(ring)((*ring.keys, *_retired(ring)))
        SubjectKey.objects.filter(pk=subject.pk).update(kek_version=7)
        with patch(f"{_LIVE}.keyring", lambda: older):
            self.assertEqual(seen(), {"KF.L009"})


def _retired(ring) -> tuple:
    active = ring.active("kek")
    return (type(active)(use="kek", id="7", state="retired", secret=b"7" * 32, created=active.created),)


class Forwarding(TestCase):
    """A SIEM that gets nothing is a finding, whether its receiver is away or our own schedule."""

    def test_where_there_is_none_nothing_is_said(self):
        self.assertNotIn("KF.L011", seen())

    def test_a_receiver_that_takes_nothing(self):
        AuditForward.objects.create(failing_since=timezone.now(), last_error="it does not take what is sent")
        with override_settings(AUDIT_SYSLOG="tls://siem.example.in:6514"):
            self.assertIn("KF.L011", seen())
            AuditForward.objects.update(failing_since=None)
            self.assertNotIn("KF.L011", seen())

    def test_events_that_nobody_sends(self):
        with (
            tempfile.TemporaryDirectory() as home,
            override_settings(AUDIT_SYSLOG="tls://siem.example.in:6514", AUDIT_SIGNER_DIR=Path(home) / "signer"),
        ):
            with time_machine.travel(timezone.now() - timedelta(minutes=16)):
                record(Action.KEYS_ADDED)
                seal_pending()
            self.assertIn("KF.L011", seen())
            AuditForward.objects.create(next_index=1)
            self.assertNotIn("KF.L011", seen())


class Sealing(TestCase):
    """A log that is not sealed is a finding: at once where an event has a mark of another key ring, else in time."""

    def test_events_that_have_waited_for_a_quarter_of_an_hour(self):
        record(Action.KEYS_ADDED)
        for minutes, expected in ((14, set()), (16, {"KF.L012"})):
            with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
                self.assertEqual(seen(), expected)

    def test_an_event_under_a_key_that_the_ring_lacks(self):
        record(Action.KEYS_ADDED)
        with override_settings(KEYRING_FILE="", KEYRING=generate()):
            record(Action.KEYS_ADDED)
        told = [one.subject for one in audit_installation().findings if one.id == "KF.L012"]
        self.assertEqual(told, [f"audit_mac {AuditEvent.objects.last().mac_key}"])
