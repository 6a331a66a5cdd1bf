"""Heartbeats: one a slot on any number of hosts, with what stands at that moment; and the gaps between them."""

from datetime import UTC, datetime, timedelta

import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from koshflow.schedule import SCHEDULE
from security.audit import Action, AuditEvent
from security.tlog import Gap, gaps_between, heartbeats, seal_pending
from security.tlog.heartbeats import INTERVAL, gaps
from security.trail import trigger_count
from tests.base import CommittingApiTestCase
from tests.security.tlog.log import SIZES, Intruder, SealedLog, switch_off_triggers

# After whatever else the log of the test has: rows are found by time through their ids, which follow the clock.
NOON = datetime(2040, 11, 24, 12, 0, tzinfo=UTC)
[ENTRY] = [entry for entry in SCHEDULE if entry.name == "audit_heartbeat"]


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


class Beats(SealedLog):
    """What the schedule runs records one event a quarter of an hour."""

    def setUp(self):
        super().setUp()
        traveller = time_machine.travel(NOON + timedelta(seconds=3), tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)

    def all(self) -> list[AuditEvent]:
        return list(AuditEvent.objects.filter(type="audit.heartbeat").order_by("id"))

    def test_it_says_what_stands_then(self):
        ENTRY.run()
        [event] = self.all()
        leaf = event.parsed_leaf()
        count = trigger_count()
        self.assertGreater(count, 20)
        self.assertEqual(leaf.data["triggers"], {"expected": count, "found": count, "missing": []})
        self.assertEqual(leaf.data["size"], SIZES[-1])
        self.assertRegex(leaf.data["signed"], r"^\d{4}-\d\d-\d\dT[\d:]{8}\+00:00$")
        self.assertEqual((event.audit_class, event.actor), ("system", None))
        self.assertTrue(leaf.node)

    def test_it_is_recorded_once_a_slot_however_often_it_runs(self):
        for seconds in (0, 10, 600, 286):  # to 12:00:03, :13, 12:10:13, 12:14:59
            self.clock.shift(seconds)
            ENTRY.run()
        self.assertEqual(len(self.all()), 1)
        self.clock.shift(1)
        ENTRY.run()
        ENTRY.run()
        self.assertEqual(len(self.all()), 2)

    def test_the_clock_comes_by_in_each_slot(self):
        self.assertEqual(ENTRY.cron.split()[0], f"*/{INTERVAL // timedelta(minutes=1)}")

    def test_it_stands_in_the_tree_and_is_proved(self):
        ENTRY.run()
        seal_pending()
        [beat] = heartbeats(since=NOON, until=later(60))
        self.assertEqual(beat.index, SIZES[-1])
        self.assertEqual(self.found(), {})

    def test_a_missing_trigger_is_told_and_logged(self):
        count = trigger_count()
        switch_off_triggers("audit_pii")
        with self.assertLogs("security.tlog", "ERROR") as log:
            ENTRY.run()
        [beat] = heartbeats(since=NOON, until=later(60))
        self.assertTrue(beat.is_short)
        self.assertEqual(beat.expected, count)
        self.assertEqual(beat.expected - beat.found, len(beat.missing))
        self.assertTrue(all(name.startswith("audit_pii_") for name in beat.missing))
        self.assertEqual(log.records[0].triggers, list(beat.missing))

    def test_one_that_was_changed_counts_as_none(self):
        ENTRY.run()
        Intruder().run("UPDATE audit_event SET leaf = %s WHERE type = 'audit.heartbeat'", b"no leaf")
        self.assertEqual(list(heartbeats(since=NOON, until=later(60))), [])

    def test_gaps_are_read_in_chunks(self):
        for _ in range(12):
            ENTRY.run()
            self.clock.shift(900)
        with CaptureQueriesContext(connection) as queries:
            self.assertEqual(list(gaps_between(since=NOON, until=later(180))), [])
        self.assertLessEqual(len(queries), 8)
        self.assertIn("LIMIT 1000", queries[-1]["sql"])
        self.assertEqual(
            list(gaps_between(since=NOON, until=later(360))), [Gap(self.all()[-1].occurred_at, later(360))]
        )

    def test_a_gap_over_the_end_of_a_time_is_told_of_whole_on_either_side(self):
        """Twenty minutes of it before and twenty-five after: too long is neither."""
        ENTRY.run()
        self.clock.shift(2700)
        ENTRY.run()
        gap = Gap(*(event.occurred_at for event in self.all()))
        self.assertEqual(list(gaps_between(since=NOON, until=later(20))), [gap])
        self.assertEqual(list(gaps_between(since=later(20), until=later(60))), [gap])
        self.assertEqual(list(gaps_between(since=later(20), until=later(30))), [gap])
        self.assertEqual(list(gaps_between(since=later(46), until=later(60))), [])

    def test_one_that_lasts_ends_when_the_caller_knows_no_further(self):
        ENTRY.run()
        [beat] = self.all()
        times = {"since": NOON, "until": later(20)}
        self.assertEqual(list(gaps_between(**times)), [])
        self.assertEqual(list(gaps_between(**times, known_to=later(40))), [Gap(beat.occurred_at, later(40))])

    def test_its_action_is_on_the_list(self):
        self.assertEqual(Action.AUDIT_HEARTBEAT.audit_class.retention_days, 9 * 365 + 3)


class OnSeveralHosts(CommittingApiTestCase):
    """Several at one moment record one: who does not get the lock leaves it to who has it."""

    def test_one_heartbeat_of_eight_at_once(self):
        self.in_parallel(8, lambda _: ENTRY.run())
        ENTRY.run()
        self.assertAudited("audit.heartbeat")


def test_gaps_begin_after_two_intervals_and_are_told_in_order():
    beats = [later(minutes) for minutes in (0, 15, 45, 76.1, 80, 79, 109)]
    assert list(gaps(beats, since=NOON, until=later(110))) == [Gap(later(45), later(76.1))]


def test_a_slot_that_was_missed_is_none_wherever_in_theirs_the_two_beside_it_lie():
    for seconds in (-59, -0.2, 0.2, 59):
        assert list(gaps([later(15), later(45 + seconds / 60)], since=NOON, until=later(46))) == []


def test_before_the_first_and_after_the_last_there_are_gaps_too():
    assert list(gaps([], since=NOON, until=later(32))) == [Gap(NOON, later(32))]
    assert list(gaps([], since=NOON, until=later(31))) == []
    assert list(gaps([later(40)], since=NOON, until=later(80))) == [Gap(NOON, later(40)), Gap(later(40), later(80))]


def test_a_clock_that_goes_back_makes_no_gap():
    assert list(gaps([later(20), later(2), later(45)], since=NOON, until=later(50))) == []
