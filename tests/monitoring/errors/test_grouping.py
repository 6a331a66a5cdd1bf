"""What fails at one place is one group, whatever it was about; nothing personal stands in it (promise E36)."""

import json
import logging
import logging.handlers
from datetime import timedelta
from unittest import TestCase
from unittest.mock import patch

from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from monitoring.errors.collector import MOST_WAITING, Collector, collector
from monitoring.errors.flusher import start_error_flusher
from monitoring.errors.models import ErrorGroup, ErrorState
from monitoring.errors.store import MOST_GROUPS, flush_errors
from monitoring.logs import JsonFormatter
from monitoring.logs.fingerprints import fingerprint_of
from tests.base import CommittingApiTestCase
from tests.monitoring.errors.failing import SECRET, FailingMixin, in_a_statement, of_another
from tests.monitoring.metrics.counting import CountingMixin
from tests.waiting import until


class Groups(FailingMixin, CountingMixin, CommittingApiTestCase):
    """Through the door: a 500 is answered, and its group says how often, since when, and in which request last."""

    def test_one_place_is_one_group(self):
        ids = [self.assertProblem(self.ask_and_fail(number=n), 500, "INTERNAL_ERROR")["requestId"] for n in range(12)]
        (group,) = self.groups()
        self.assertEqual((group.count, group.state), (12, ErrorState.NEW))
        self.assertEqual(group.request_ids, ids[:1:-1])
        self.assertEqual((group.exception, group.route), ("builtins.RuntimeError", "/api/auth/login"))
        self.assertEqual(group.place, "tests/monitoring/errors/failing.py of_one_place")
        self.assertEqual(self.value("kf_errors_total"), 12)

    def test_the_place_of_a_statement_is_who_ran_it_and_not_what_counts_it(self):
        self.ask_and_fail(in_a_statement)
        self.assertEqual(self.groups()[0].place, "tests/monitoring/errors/failing.py in_a_statement")

    def test_another_place_is_another(self):
        self.ask_and_fail()
        self.ask_and_fail(of_another)
        self.assertEqual([group.count for group in self.groups()], [1, 1])

    def test_it_counts_on_over_flushes(self):
        self.ask_and_fail()
        first = self.groups()[0].first_seen_at
        self.ask_and_fail()
        (group,) = self.groups()
        self.assertEqual((group.count, group.first_seen_at), (2, first))
        self.assertEqual(self.value("kf_error_groups_total", event="new"), 1)

    def test_nothing_that_it_was_about_is_kept(self):
        self.ask_and_fail()
        (group,) = self.groups()
        kept = json.dumps({field.name: str(getattr(group, field.name)) for field in group._meta.fields})
        self.assertNotIn(SECRET, kept)
        self.assertNotIn("a@b.example.in", kept)

    def test_the_line_of_the_log_names_the_group(self):
        kept = logging.handlers.BufferingHandler(10)
        logging.getLogger("security.errors").addHandler(kept)
        self.addCleanup(logging.getLogger("security.errors").removeHandler, kept)
        self.ask_and_fail()
        line = json.loads(JsonFormatter().format(kept.buffer[0]))
        self.assertEqual(line["fingerprint"], self.groups()[0].fingerprint)

    def test_a_refusal_is_no_failure(self):
        self.get("/api/auth/me")
        self.assertEqual(self.groups(), [])

    def test_what_was_resolved_comes_back_as_regressed(self):
        self.ask_and_fail()
        self.groups()
        ErrorGroup.objects.update(state=ErrorState.RESOLVED, state_changed_at=timezone.now())
        self.ask_and_fail()
        self.assertEqual(self.groups()[0].state, ErrorState.REGRESSED)
        self.assertEqual(self.value("kf_error_groups_total", event="regressed"), 1)

    def test_what_was_under_way_when_it_was_resolved_is_no_relapse(self):
        self.ask_and_fail()
        self.groups()
        self.ask_and_fail()
        ErrorGroup.objects.update(state=ErrorState.RESOLVED, state_changed_at=timezone.now() + timedelta(seconds=1))
        self.assertEqual(self.groups()[0].state, ErrorState.RESOLVED)

    def test_what_was_acknowledged_stays_so(self):
        self.ask_and_fail()
        self.groups()
        ErrorGroup.objects.update(state=ErrorState.ACKNOWLEDGED)
        self.ask_and_fail()
        self.assertEqual(self.groups()[0].state, ErrorState.ACKNOWLEDGED)


class Seen(FailingMixin, CommittingApiTestCase):
    """The thread that every server has brings a failure to the page within five seconds."""

    def test_within_five_seconds(self):
        flusher = start_error_flusher()
        self.addCleanup(flusher.stop, timeout_seconds=30)
        self.ask_and_fail()
        until(ErrorGroup.objects.exists, what="the group", seconds=5)


class Away(FailingMixin, CountingMixin, CommittingApiTestCase):
    """A database that is away, or our own fault, costs neither the answer nor a count."""

    def test_the_next_flush_brings_it(self):
        self.ask_and_fail()
        self.ask_and_fail(of_another)
        with (
            patch.object(ErrorGroup.objects, "select_for_update", side_effect=DatabaseError),
            self.assertRaises(DatabaseError),
        ):
            flush_errors()
        self.ask_and_fail()
        self.assertEqual(sorted(group.count for group in self.groups()), [1, 2])

    def test_a_group_that_is_refused_holds_up_no_other(self):
        self.ask_and_fail()
        self.ask_and_fail(of_another)
        first, _ = collector._failures.values()
        first.count = 2**70  # more than any column holds
        with self.assertLogs("monitoring.errors", "WARNING") as logs:
            self.assertEqual([group.count for group in self.groups()], [1])
        told = [(record.msg, record.group) for record in logs.records]
        self.assertEqual(told, [("error_group_not_kept", first.fingerprint)])
        self.assertEqual(self.value("kf_errors_dropped_total"), 2.0**70)
        self.assertEqual(self.value("kf_error_groups_total", event="new"), 1)

    def test_what_no_database_takes_is_taken_out(self):
        error = RuntimeError("a\0b \ud800")  # not by a request: pytest itself could not tell of its line
        collector.handle(logging.makeLogRecord({"levelno": 40, "exc_info": (RuntimeError, error, None)}))
        (group,) = self.groups()
        self.assertEqual(group.message, "a\ufffdb ?")

    def test_a_group_that_goes_while_it_is_written_is_begun_anew(self):
        self.ask_and_fail()
        real = ErrorGroup.objects.select_for_update
        with patch.object(ErrorGroup.objects, "select_for_update", side_effect=[IntegrityError, real()]):
            flush_errors()
        self.assertEqual(ErrorGroup.objects.get().count, 1)

    def test_a_relapse_whose_row_is_not_written_is_not_counted(self):
        self.ask_and_fail()
        self.groups()
        ErrorGroup.objects.update(state=ErrorState.RESOLVED, state_changed_at=timezone.now())
        self.ask_and_fail()
        with patch.object(ErrorGroup, "save", side_effect=DatabaseError), self.assertRaises(DatabaseError):
            flush_errors()
        self.assertEqual(self.value("kf_error_groups_total", event="regressed"), 0)

    def test_no_request_asks_the_database_for_it(self):
        with patch("monitoring.errors.store._keep") as keep:
            self.assertProblem(self.ask_and_fail(), 500, "INTERNAL_ERROR")
        keep.assert_not_called()

    def test_a_fault_of_the_collector_costs_no_answer(self):
        with (
            patch("monitoring.errors.collector.fingerprint_of", side_effect=ValueError),
            self.assertLogs("monitoring.errors", "WARNING") as logs,
        ):
            self.assertProblem(self.ask_and_fail(), 500, "INTERNAL_ERROR")
        self.assertEqual([(record.msg, record.error) for record in logs.records], [("error_not_counted", "ValueError")])
        self.assertEqual(self.value("kf_errors_dropped_total"), 1)

    def test_two_processes_meet_a_failure_at_one_moment(self):
        self.ask_and_fail()
        (group,) = self.groups()
        self.ask_and_fail()
        missed = ErrorGroup.objects.none()
        with patch.object(ErrorGroup.objects, "select_for_update", side_effect=[missed, ErrorGroup.objects.all()]):
            flush_errors()
        group.refresh_from_db()
        self.assertEqual(group.count, 2)


class Bounds(FailingMixin, CountingMixin, CommittingApiTestCase):
    """However many kinds of failures there are, memory and table have an end."""

    def test_the_table(self):
        now = timezone.now()
        rows = [
            ErrorGroup(
                fingerprint=f"{number:016x}",
                exception="x",
                count=1,
                first_seen_at=now,
                last_seen_at=now - timedelta(days=1000 - number),
                state=ErrorState.RESOLVED if number == 900 else ErrorState.NEW,
                state_changed_at=now,
            )
            for number in range(MOST_GROUPS + 1)
        ]
        ErrorGroup.objects.bulk_create(rows)
        self.ask_and_fail()
        left = {group.fingerprint for group in self.groups()}
        self.assertEqual(len(left), MOST_GROUPS)
        self.assertFalse({f"{number:016x}" for number in (900, 0)} & left)

    def test_memory(self):
        mine = Collector()
        for number in range(MOST_WAITING + 7):
            with patch("monitoring.errors.collector.fingerprint_of", return_value=str(number)):
                mine.handle(logging.makeLogRecord({"levelno": 40, "exc_info": (ValueError, ValueError(), None)}))
        self.assertEqual(len(mine.take()), MOST_WAITING)
        self.assertEqual(self.value("kf_errors_dropped_total"), 7)


class Fingerprints(TestCase):
    """Types and functions, not texts, lines or depths."""

    def of(self, act, *arguments) -> str:
        try:
            act(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it raises is what we ask for
            return fingerprint_of(error)
        raise AssertionError

    def recurse(self, depth):
        if depth:
            self.recurse(depth - 1)
        raise ValueError

    def test_the_depth_of_a_recursion_makes_no_other(self):
        self.assertEqual(self.of(self.recurse, 3), self.of(self.recurse, 30))

    def test_the_type_and_the_cause_do(self):
        def plain(kind):
            raise kind

        def caused(kind):
            try:
                plain(kind)
            except kind as error:
                raise ValueError from error

        found = [
            self.of(plain, KeyError),
            self.of(plain, ValueError),
            self.of(caused, KeyError),
            self.of(caused, OSError),
        ]
        self.assertEqual(len(set(found)), 4)

    def test_an_error_that_was_never_raised_has_one_too(self):
        self.assertRegex(fingerprint_of(ValueError("x")), r"^[0-9a-f]{16}$")
