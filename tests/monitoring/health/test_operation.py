"""The deeper probes: schedule, outbox, clock, replicas, pool, relay."""

import socket
import threading
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from unittest.mock import MagicMock, patch

import pytest
import time_machine
from django.db import OperationalError, connection, transaction
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from monitoring.health.board import Board
from monitoring.health.operation import MailProbe, OperationProbe, PoolProbe, _clock, _lock_wait, _replication
from monitoring.health.readings import Health, Reading, Status, overall
from monitoring.health.watcher import TTL_SECONDS, Watcher
from monitoring.schedule import Slot, note_run
from security.outbox import OutboxMessage, enqueue
from tests.monitoring.health.test_watcher import FakeProbe
from tests.waiting import until

SMTP = "django.core.mail.backends.smtp.EmailBackend"


def by_name(readings) -> dict[str, Reading]:
    return {reading.name: reading for reading in readings}


class Operation(TransactionTestCase):
    """Loss, never a reason to take the process out of service."""

    def found(self) -> dict[str, Reading]:
        return by_name(OperationProbe()())

    def test_a_schedule_that_nobody_runs_is_a_warning(self):
        reading = self.found()["schedule:overdue"]
        self.assertEqual((reading.status, reading.output), (Status.WARN, "nobody has run it yet"))
        self.assertEqual(overall([reading]), Health.DEGRADED)

    def test_a_function_that_missed_more_than_two_slots_is_named(self):
        now = datetime.now(UTC)
        for name, ago in (("seal_audit_log", 20), ("deliver_due", 120)):
            slot = Slot(name, next_at=now - timedelta(seconds=ago), interval_seconds=10)
            note_run(slot, started_at=now, ended_at=now, seconds=0.1)
        reading = self.found()["schedule:overdue"]
        self.assertEqual((reading.status, reading.value, reading.output), (Status.WARN, 1, "overdue: deliver_due"))
        note_run(Slot("deliver_due", now, 10), started_at=now, ended_at=now, seconds=0.1)
        self.assertEqual(self.found()["schedule:overdue"].status, Status.PASS)

    def test_a_message_that_waits_for_over_ten_minutes(self):
        self.assertEqual(self.found()["outbox:oldest"].value, 0.0)
        with transaction.atomic():
            enqueue(channel="webhook", kind="alert", subject=None, payload={})
        for minutes, status in ((9, Status.PASS), (11, Status.WARN)):
            OutboxMessage.objects.update(created_at=datetime.now(UTC) - timedelta(minutes=minutes))
            self.assertEqual(self.found()["outbox:oldest"].status, status)

    def test_the_size_of_the_database_grows_with_what_is_in_it(self):
        before = self.found()["database:size"]
        self.assertEqual((before.status, before.unit), (Status.PASS, "bytes"))
        rows = 300
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":  # pages that other tests left free are filled before the file grows
                rows += cursor.execute("PRAGMA freelist_count").fetchone()[0]
            cursor.execute("CREATE TABLE grown (text TEXT)")
            self.addCleanup(lambda: connection.cursor().execute("DROP TABLE grown"))
            cursor.executemany("INSERT INTO grown VALUES (%s)", [(token_hex(4000),) for _ in range(rows)])
        self.assertGreater(self.found()["database:size"].value, before.value + 500_000)

    def test_a_database_that_refuses_is_a_warning_of_its_own(self):
        refused = OperationalError("host db.internal")
        with patch("monitoring.health.operation.ScheduleRun.objects.order_by", side_effect=refused):
            found = self.found()
        self.assertEqual(set(found), {"schedule:overdue", "backup:age"})
        for reading in found.values():
            told = reading.status, reading.output, reading.is_required
            self.assertEqual(told, (Status.WARN, "OperationalError", False))

    @pytest.mark.real
    def test_the_clock_is_held_against_the_databases(self):
        self.assertEqual(self.found()["clock:offset"].status, Status.PASS)
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=90), tick=True):
            reading = self.found()["clock:offset"]
        self.assertEqual(reading.status, Status.WARN)
        self.assertAlmostEqual(reading.value, 90, delta=2)

    @pytest.mark.real
    def test_who_waits_for_a_lock_is_told_of(self):
        self.assertEqual(
            (self.found()["database:lockWait"].status, self.found()["database:lockWait"].value), (Status.PASS, 0)
        )
        held, waiting = (connection.copy() for _ in range(2))
        self.addCleanup(held.close)
        self.addCleanup(waiting.close)
        waiting.inc_thread_sharing()
        held.set_autocommit(False)
        held.cursor().execute("LOCK TABLE schedule_run")
        thread = threading.Thread(target=lambda: waiting.cursor().execute("DELETE FROM schedule_run"))
        thread.start()
        with patch("monitoring.health.operation.MOST_LOCK_WAIT_SECONDS", 0.2):
            until(lambda: self.locks_of_another().status is Status.WARN, what="the warning")
            self.assertEqual(self.locks_of_another().output, "1 waits for a lock")
        held.rollback()
        thread.join(30)
        self.assertEqual(self.found()["database:lockWait"].status, Status.PASS)

    def locks_of_another(self) -> Reading:
        """Alone: the schedule's row, which is locked here, cannot be read."""
        with connection.cursor() as cursor:
            return _lock_wait(cursor)

    @pytest.mark.real
    def test_without_a_replica_nothing_is_said_of_one(self):
        self.assertNotIn("database:replicationLag", self.found())


class Replicas(SimpleTestCase):
    """The one that is furthest behind; what may not be read is not said to be well."""

    def found(self, *row):
        return _replication(MagicMock(fetchone=lambda: row))

    def test_lag(self):
        self.assertEqual(self.found(0, 0.0, True), [])
        self.assertEqual([one.status for one in self.found(1, 30.0, True)], [Status.PASS])
        self.assertEqual([(one.status, one.value) for one in self.found(2, 31.0, True)], [(Status.WARN, 31.0)])
        [unread] = self.found(1, 0.0, False)
        self.assertEqual((unread.status, unread.value), (Status.WARN, None))

    def test_a_clock_that_is_off_by_less_than_the_question_took_is_not_off(self):
        behind = MagicMock(fetchone=lambda: (datetime.now(UTC).timestamp() + 3,))
        self.assertEqual(_clock(behind).status, Status.WARN)
        with patch("monitoring.health.operation.perf_counter", side_effect=[0.0, 4.0]):
            self.assertEqual(_clock(behind).status, Status.PASS)


class Pool(SimpleTestCase):
    """Above 80 percent is a warning; threads with connections of their own have no pool to fill."""

    def test_it(self):
        for used, status in ((None, None), (0.8, Status.PASS), (0.81, Status.WARN)):
            with patch("monitoring.health.operation.pool_used_ratio", return_value=used):
                found = PoolProbe()()
            self.assertEqual([one.status for one in found], [] if status is None else [status])


class Relay:
    """A mail relay on this machine that says `lines`, one a time it is spoken to, and then nothing."""

    def __init__(self, *lines: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard: list[bytes] = []
        self._lines = lines
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        peer, _ = self._socket.accept()
        with peer:
            for line in self._lines:
                peer.sendall(line)
                self.heard.append(peer.recv(1024))
            if not self._lines:
                self.heard.append(peer.recv(1024))  # the caller's end of it

    def close(self) -> None:
        self._socket.close()
        self._thread.join(10)


class Mail(SimpleTestCase):
    """Connects and says EHLO, within a deadline; only where there is a relay."""

    def found(self, port: int, **settings):
        given = {"EMAIL_BACKEND": SMTP, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port, "EMAIL_USE_SSL": False}
        with override_settings(**given | settings):
            return MailProbe()()

    def relay(self, *lines: bytes) -> Relay:
        relay = Relay(*lines)
        self.addCleanup(relay.close)
        return relay

    def test_a_relay_that_answers(self):
        relay = self.relay(b"220 relay\r\n", b"250 relay\r\n", b"221 bye\r\n")
        (reading,) = self.found(relay.port)
        self.assertEqual((reading.status, reading.unit, reading.is_required), (Status.PASS, "ms", False))
        self.assertTrue(relay.heard[0].lower().startswith(b"ehlo "), relay.heard)

    def test_a_relay_that_refuses_ehlo(self):
        relay = self.relay(b"220 relay\r\n", b"554 go away\r\n", b"221 bye\r\n")
        (reading,) = self.found(relay.port)
        self.assertEqual((reading.status, reading.output), (Status.FAIL, "EHLO was refused"))

    def test_a_relay_that_is_away(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        (reading,) = self.found(port)
        self.assertEqual((reading.status, reading.output), (Status.FAIL, "ConnectionRefusedError"))

    def test_a_relay_that_takes_the_call_and_says_nothing(self):
        relay = self.relay()
        with patch("monitoring.health.operation.MAIL_SECONDS", 0.1):
            (reading,) = self.found(relay.port)
        self.assertEqual((reading.status, reading.output), (Status.FAIL, "SMTPServerDisconnected"))

    def test_where_mail_goes_to_no_relay_there_is_nothing_to_probe(self):
        self.assertEqual(self.found(1, EMAIL_BACKEND="koshflow.mail_folder.FolderBackend"), [])


class Verdicts(SimpleTestCase):
    """Nobody waits for a relay on /health; a database that is away hangs one probe, not all that need it."""

    def board(self, database: Status) -> tuple[Board, list[str]]:
        asked: list[str] = []

        def watcher(name: str, status: Status = Status.PASS) -> Watcher:
            def probe():
                asked.append(name)
                return [Reading(f"{name}:x", status, datetime.now(UTC), is_required=name == "database")]

            return Watcher(probe, overdue=(f"{name}:x", name == "database"), deadline_seconds=30.0)

        names = ("cache", "audit", "operation")
        return Board({"database": watcher("database", database)} | {name: watcher(name) for name in names}), asked

    def test_what_needs_the_database_is_asked_where_it_answers(self):
        for status, expected in (
            (Status.PASS, ["audit", "cache", "database", "operation"]),
            (Status.FAIL, ["cache", "database"]),
        ):
            board, asked = self.board(status)
            board.verdict()
            self.assertEqual(sorted(asked), expected)

    def test_what_hangs_behind_a_database_that_took_long_is_waited_for_no_longer_than_that(self):
        frozen = FakeProbe()
        self.addCleanup(frozen.thaw)
        now = [0.0]
        audit = Watcher(frozen, overdue=("audit:x", False), deadline_seconds=30.0, clock=lambda: now[0])
        board = Board({"database": Watcher(list, overdue=("database:x", True)), "audit": audit})
        board.verdict()
        frozen.freeze()
        now[0] += TTL_SECONDS
        with patch("monitoring.health.board.monotonic", return_value=0.0):  # by which all that time was used up
            readings = board.verdict().readings  # this would take 30 s if the audit log had a deadline of its own
        self.assertEqual([reading.status for reading in readings], [Status.PASS])

    def test_a_relay_that_hangs_holds_up_the_thorough_verdict_alone(self):
        release = threading.Event()
        self.addCleanup(release.set)
        mail = Watcher(lambda: release.wait(30) and [], overdue=("mail:responseTime", False), deadline_seconds=0.05)
        board = Board({"mail": mail})
        self.assertEqual(board.verdict().readings, ())
        (reading,) = board.verdict(is_thorough=True).readings
        self.assertEqual((reading.status, reading.output), (Status.FAIL, "no answer within 0.05 s"))
        self.assertEqual(board.verdict().health, Health.OK)
