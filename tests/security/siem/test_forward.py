"""Forwarding: every signed event, in the order of the tree, at least once, whatever the receiver does."""

import socket
import threading
import time
from datetime import timedelta
from unittest import mock

import pytest
import time_machine
from django.utils import timezone

from security.audit import AuditEvent
from security.siem import Busy, ReceiverUnavailable, forward_on_schedule, forward_sealed, services, standing
from security.siem.models import AuditForward
from security.siem.transport import deliver
from security.syslog_url import parse_destination
from security.tlog import seal_pending
from tests.ports import free_port
from tests.security.siem.case import ALL, ForwardCase
from tests.security.siem.receivers import indexes
from tests.security.tlog.log import SIZES, Intruder

pytestmark = pytest.mark.timeout(120)

NOW = "2026-11-24T06:00:00Z"


class Forwarding(ForwardCase):
    """What is signed is sent once, in its order, and what is not signed waits."""

    def test_all_events_in_the_order_of_the_tree(self):
        with mock.patch.object(services, "BATCH", 100):
            self.assertEqual(forward_sealed(), SIZES[-1])
        self.assertEqual(indexes(self.receiver.end()), ALL)

    def test_then_only_what_is_new(self):
        forward_sealed()
        self.assertEqual(forward_sealed(), 0)
        self.act(3)
        self.assertEqual(forward_sealed(), 0)  # not sealed yet
        seal_pending()
        forward_on_schedule()
        self.assertEqual(indexes(self.receiver.end()), list(range(SIZES[-1] + 3)))

    def test_with_nothing_new_it_costs_two_reads(self):
        forward_sealed()
        with self.assertNumQueries(2):
            forward_on_schedule()

    def test_where_it_is_off_nothing_happens(self):
        with self.settings(AUDIT_SYSLOG=""), self.assertNumQueries(0):
            forward_on_schedule()
            self.assertIsNone(standing(timezone.now()))

    def test_an_event_that_was_taken_out_is_told_of_and_the_rest_goes_on(self):
        Intruder().remove(100, 103, is_renumbered=False)
        with self.assertLogs("security.siem", "ERROR") as log:
            forward_sealed()
        self.assertEqual([r.getMessage() for r in log.records], ["audit_forward_gap"])
        self.assertEqual(indexes(self.receiver.end()), [index for index in ALL if not 100 <= index < 103])

    def test_an_event_that_somebody_spoilt_stops_nothing(self):
        Intruder().run("UPDATE audit_event SET leaf = %s WHERE tree_index = 7", b'{"type":[]')
        Intruder().run("UPDATE audit_event SET leaf = %s WHERE tree_index = 8", b'{"type":[],"ts":4}')
        with self.assertLogs("security.siem", "ERROR"):
            forward_sealed()
        self.assertEqual(indexes(self.receiver.end()), [index for index in ALL if index not in (7, 8)])

    def test_the_lag_is_that_of_the_oldest_event_that_waits(self):
        oldest = AuditEvent.objects.get(tree_index=0).occurred_at
        self.assertEqual(standing(oldest + timedelta(minutes=7)).lag, timedelta(minutes=7))
        forward_sealed()
        told = standing(timezone.now() + timedelta(hours=1))
        self.assertEqual((told.lag, told.next_index, told.size), (timedelta(), SIZES[-1], SIZES[-1]))


class OneAtATime(ForwardCase):
    """On any number of hosts one process sends; who dies leaves the row to the others a minute later."""

    def test_another_waits(self):
        AuditForward.objects.create(holder="another", leased_until=timezone.now() + timedelta(seconds=30))
        with self.assertRaises(Busy):
            forward_sealed()
        forward_on_schedule()  # says nothing
        self.assertEqual(self.receiver.end(), [])

    def test_a_dead_one_is_followed(self):
        AuditForward.objects.create(holder="dead", leased_until=timezone.now() - timedelta(seconds=1))
        forward_sealed()
        self.assertEqual(indexes(self.receiver.end()), ALL)
        self.assertEqual((self.told().holder, self.told().leased_until), ("", None))

    def test_one_that_was_overtaken_moves_nothing(self):
        def overtaken(*args, **options):
            deliver(*args, **options)
            AuditForward.objects.update(holder="another")

        with mock.patch.object(services, "deliver", overtaken):
            self.assertEqual(forward_sealed(), 0)
        self.assertEqual((self.told().next_index, self.told().holder), (0, "another"))

    def test_one_that_was_killed_after_it_sent_sends_again(self):
        def killed(*args, **options):
            deliver(*args, **options)
            raise KeyboardInterrupt

        with mock.patch.object(services, "deliver", killed), self.assertRaises(KeyboardInterrupt):
            forward_sealed()
        self.assertEqual(forward_sealed(), SIZES[-1])
        sent = indexes(self.receiver.end())
        self.assertEqual((sorted(set(sent)), len(sent)), (ALL, 500 + SIZES[-1]))


class Outages(ForwardCase):
    """A receiver that is away, silent, or dies keeps no event from arriving once it is back."""

    def assert_fails(self, what: str = "it does not take what is sent") -> None:
        with self.assertLogs("security.siem", "ERROR") as log, self.assertRaisesRegex(ReceiverUnavailable, what):
            forward_sealed()
        self.assertEqual([r.getMessage() for r in log.records], ["audit_forward_fails"])
        self.assertIsNotNone(standing(timezone.now()).failing_since)

    def test_one_that_is_away_and_comes_back(self):
        port = free_port()
        with self.settings(AUDIT_SYSLOG=f"tcp://127.0.0.1:{port}"), time_machine.travel(NOW, tick=False) as clock:
            self.assert_fails()
            with self.assertNoLogs("security.siem", "INFO"):  # one line an outage
                forward_on_schedule()  # the pause
                for _ in range(6):
                    clock.shift(400)
                    forward_on_schedule()
            self.assertEqual((self.told().next_index, self.told().attempts), (0, 7))
            self.assertEqual(self.told().retry_at - timezone.now(), timedelta(minutes=5))  # the longest pause
        with self.assertLogs("security.siem", "INFO") as log:
            forward_sealed(is_hurried=True)
        self.assertEqual([r.getMessage() for r in log.records], ["audit_forward_goes_on"])
        self.assertEqual(indexes(self.receiver.end()), ALL)
        self.assertEqual((self.told().attempts, self.told().failing_since, self.told().last_error), (0, None, ""))

    def test_a_black_hole_holds_nobody_longer_than_the_deadline(self):
        with socket.create_server(("127.0.0.1", 0), backlog=1) as hole:
            where = parse_destination(f"tcp://127.0.0.1:{hole.getsockname()[1]}")
            started = time.monotonic()
            with self.assertRaises(ReceiverUnavailable):
                deliver([b"x" * 30_000] * 1000, to=where, patience=0.7)
            self.assertLess(time.monotonic() - started, 5)

    def test_the_addresses_of_a_name_share_the_deadline(self):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{end}", 6514)) for end in range(1, 9)]
        now, given = [0.0], []

        def nobody(_where, timeout):
            given.append(timeout)
            now[0] += min(timeout, 4.0)
            raise TimeoutError

        with (
            mock.patch("socket.getaddrinfo", return_value=found),
            mock.patch("socket.create_connection", nobody),
            mock.patch("security.exchange.time", mock.Mock(monotonic=lambda: now[0])),
            self.assertRaises(ReceiverUnavailable),
        ):
            deliver([b"x"], to=parse_destination("tcp://siem.example.in:6514"), patience=10)
        self.assertEqual(given, [10.0, 6.0, 2.0])

    def test_one_that_reads_and_never_ends_did_not_take_it(self):
        receiver = self.receives(ends=False)
        with mock.patch.object(services, "deliver", lambda *a, **o: deliver(*a, **o, patience=0.7)):
            self.assert_fails()
        self.assertEqual(self.told().next_index, 0)
        self.assertEqual(len(receiver.end()), 500)

    def test_one_that_trickles_answers_is_cut(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=trickle, args=[server], daemon=True).start()
            where = parse_destination(f"tcp://127.0.0.1:{server.getsockname()[1]}")
            started = time.monotonic()
            with self.assertRaises(ReceiverUnavailable):
                deliver([b"x"], to=where, patience=0.7)
            self.assertLess(time.monotonic() - started, 5)

    def test_one_that_dies_in_the_middle_and_forgets_gets_everything_again(self):
        first = self.receives(most_bytes=60_000)
        with mock.patch.object(services, "BATCH", 50):
            self.assert_fails()
            died_with = first.written
            second = self.receives()
            forward_sealed(is_hurried=True)
        sent = indexes(died_with) + indexes(second.end())
        self.assertEqual(sorted(set(sent)), ALL)

    def test_what_it_had_not_written_when_it_died_is_sent_again(self):
        forward_sealed()
        self.receiver.die()  # with 30 events in its memory, which it had taken without complaint
        written = self.receiver.written
        self.assertEqual(len(written), 500)
        self.act(2)
        seal_pending()
        self.assert_fails()
        second = self.receives()
        forward_sealed(is_hurried=True)
        sent = indexes(written) + indexes(second.end())
        self.assertEqual(sorted(set(sent)), list(range(SIZES[-1] + 2)))

    def test_what_it_took_long_ago_is_not(self):
        forward_sealed()
        self.receiver.die()
        self.act(2)
        seal_pending()
        with time_machine.travel(timezone.now() + timedelta(seconds=61)):
            self.assert_fails()
            second = self.receives()
            forward_sealed(is_hurried=True)
        self.assertEqual(indexes(second.end()), [SIZES[-1], SIZES[-1] + 1])

    def test_a_datagram_to_a_closed_port_is_noticed_where_its_host_says_so(self):
        with self.settings(AUDIT_SYSLOG=f"udp://127.0.0.1:{free_port()}"):
            self.assert_fails()


def trickle(server: socket.socket) -> None:
    """One byte each tenth of a second, for five."""
    connection, _ = server.accept()
    with connection:
        for _ in range(50):
            time.sleep(0.1)
            try:
                connection.sendall(b"x")
            except OSError:
                return
