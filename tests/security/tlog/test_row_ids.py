"""Row ids follow times: lists are read by them, and somebody may change one."""

from datetime import UTC, datetime, timedelta
from unittest import TestCase

import time_machine
from django.db import transaction
from django.utils import timezone

from security.audit import Action, AuditEvent, AuditPii, record
from security.tlog import seal_pending
from security.tlog.row_ids import RowIds
from tests.security.tlog.log import SIZES, Intruder, SealedLog

BAD = 300
BEGUN = datetime(2026, 11, 29, tzinfo=UTC)


class Order(TestCase):
    """Event by event in the order of the tree."""

    def found(self, *events: tuple[float, int]) -> list[int]:
        """Ids that are out of order, of (minutes since the beginning, row id)."""
        ids = RowIds()
        return [row_id for at, row_id in events if not ids.is_in_order(row_id, BEGUN + timedelta(minutes=at))]

    def test_as_it_comes(self):
        self.assertEqual(self.found(*((at / 7, at) for at in range(1, 2_000))), [])

    def test_an_id_below_the_first(self):
        self.assertEqual(self.found((0, 0), (0, 1), (1, -5)), [0, -5])

    def test_one_of_long_before(self):
        self.assertEqual(self.found((0, 10), (1, 11), (40, 9), (41, 12)), [9])

    def test_one_of_later_on_shows_by_those_that_follow_much_later(self):
        self.assertEqual(self.found((0, 10), (1, 900), (20, 11), (40, 12), (41, 901)), [12])

    def test_a_transaction_that_was_open_for_ten_minutes(self):
        self.assertEqual(self.found((0, 10), *((at, 20 + at) for at in range(11, 70)), (59.5, 78)), [])

    def test_times_that_go_back_a_little_forget_nothing(self):
        self.assertEqual(self.found((0, 10), (9, 12), (1, 11), (45, 9), (40, 13)), [9])

    def test_remembers_half_an_hour_however_long_the_log(self):
        ids = RowIds()
        for at in range(10_000):
            ids.is_in_order(at + 1, BEGUN + timedelta(seconds=10 * at))
        self.assertLessEqual(len(ids._minutes), 32)


class Moved(SealedLog):
    """A row id that somebody changed moves its event in every list."""

    def test_a_row_id_by_which_lists_have_it_elsewhere(self):
        for row_id in (-5, -500_000):  # the values of a chunk are read from its first id to its last, or one by one
            self.renumber(BAD, row_id)
            self.assertEqual(self.found(), {"column_edited": BAD})

    def test_row_ids_of_an_old_event_and_a_new_one_swapped(self):
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            self.act(2)
            seal_pending()
            new = SIZES[-1] + 1
            old_id, new_id = (AuditEvent.objects.get(tree_index=index).pk for index in (BAD, new))
            self.assertEqual(self.found(), {})
            for index, row_id in ((BAD, -1), (new, old_id), (BAD, new_id)):
                self.renumber(index, row_id)
            self.assertIn("column_edited", self.found())

    def test_one_that_waits_under_a_row_id_below_all_others_is_sealed_and_found(self):
        with transaction.atomic():
            Intruder().run("UPDATE audit_event SET id = -5 WHERE id = %s", record(Action.KEYS_ADDED).pk)
        seal_pending()
        self.assertEqual(self.found(), {"column_edited": SIZES[-1]})

    def renumber(self, index: int, row_id: int) -> None:
        event = AuditEvent.objects.get(tree_index=index)
        values = list(AuditPii.objects.filter(event=event))
        Intruder().remove_values(index)
        Intruder().run("UPDATE audit_event SET id = %s WHERE tree_index = %s", row_id, index)
        for value in values:
            value.event_id = row_id
        AuditPii.objects.bulk_create(values)
