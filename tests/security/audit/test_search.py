"""Finding events goes along an index that names them, on both databases, and never over the whole log."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import uuid4

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from security.audit import Action, AuditEvent, Outcome, Wanted, find, record, walk
from security.audit.search import FEW_LOOKED_AT
from tests.security.audit.examples import ADDRESS, AuditCase
from tests.security.tlog.log import Intruder

ASKED = {
    "since": datetime(2026, 11, 1, tzinfo=UTC),
    "until": datetime(2026, 12, 1, tzinfo=UTC),
    "company": uuid4(),
    "actor": uuid4(),
    "target": uuid4(),
    "type": "session.created",
    "audit_class": "admin",
    "outcome": "refused",
    "request_id": "x",
    "address": ADDRESS,
}
# What the plan must name, by criterion.
INDEXES = {
    "company": "audit_company",
    "actor": "audit_actor",
    "target": "audit_target",
    "type": "audit_type",
    "audit_class": "audit_class",
    "outcome": "audit_outcome",
    "request_id": "audit_request",
    "address": "audit_address",
}


class Searches(AuditCase):
    def act(self, times: int = 1) -> None:
        for _ in range(times):
            with transaction.atomic():
                record(Action.SESSION_CREATED, actor=self.asha, target=self.bilal, company=self.company)

    def test_every_criterion_has_an_index_that_its_search_uses(self):
        self.assertEqual(set(ASKED) - {"since", "until"}, set(INDEXES))
        self.act(300)  # of the table of one event any index is as good
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE audit_event")
        asked = ASKED | {"type": "session.ended", "address": "203.0.113.77"}  # which none of these has
        for name, index in INDEXES.items():
            with self.subTest(name):
                rows = AuditEvent.objects.filter(**Wanted(**{name: asked[name]}).terms()).order_by("-id")[:50]
                with transaction.atomic(), connection.cursor() as cursor:
                    if connection.vendor == "postgresql":
                        cursor.execute("SET LOCAL enable_seqscan = off")  # the table of a test is small
                        cursor.execute("SET LOCAL enable_sort = off")
                        cursor.execute("SET LOCAL enable_bitmapscan = off")
                    self.assertIn(index, rows.explain())

    def test_a_time_is_found_by_the_ids_of_events(self):
        self.act()
        with CaptureQueriesContext(connection) as queries:
            find(Wanted(since=ASKED["since"], until=datetime(2100, 1, 1, tzinfo=UTC)), size=50)
        ends = [query["sql"] for query in queries if "LIMIT 1" in query["sql"]]
        self.assertEqual((len(ends), sum("event_id" in sql for sql in ends)), (2, 2))
        plan = AuditEvent.objects.filter(event_id__gte=uuid4()).order_by("event_id").values("id")[:1]
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_sort = off")
            self.assertRegex(plan.explain(), "audit_event_event_id|autoindex")

    def test_the_id_of_an_event_is_its_time(self):
        self.act()
        event = AuditEvent.objects.get()
        milliseconds = (event.occurred_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        self.assertEqual((event.event_id.int >> 80, event.event_id.version), (milliseconds, 7))

    def test_the_ends_of_the_calendar_are_times_too(self):
        self.act()
        ends = Wanted(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))
        self.assertEqual(len(find(ends, size=50).events), 1)

    def test_an_event_whose_host_is_minutes_behind_is_found_by_its_own_time(self):
        self.act(3)
        late = AuditEvent.objects.order_by("id")[1]
        said = late.occurred_at - timedelta(minutes=9)
        Intruder().run("UPDATE audit_event SET occurred_at = %s WHERE id = %s", said, late.pk)
        found = find(Wanted(since=said, until=said + timedelta(minutes=1)), size=50)
        self.assertEqual([event.pk for event in found.events], [late.pk])

    def test_a_walk_is_whole_in_order_and_ends_where_it_should(self):
        self.act(5)
        self.assertEqual(
            [event.pk for event in walk(Wanted())], sorted(AuditEvent.objects.values_list("pk", flat=True))
        )
        self.assertEqual(list(walk(Wanted(), end=3)), [])  # nothing has a place yet

    def test_a_walk_asks_no_more_after_a_chunk_that_is_not_full(self):
        self.act(5)
        for chunk, statements in ((3, 2), (5, 2), (6, 1)):
            with (
                self.subTest(chunk=chunk),
                patch("security.audit.search.CHUNK", chunk),
                self.assertNumQueries(statements),
            ):
                self.assertEqual(len(list(walk(Wanted()))), 5)

    def test_a_time_before_the_first_event_finds_all_of_its_first_minutes(self):
        """Within one millisecond ids are in no order, and two clocks in none within minutes."""
        with time_machine.travel("2026-11-24T06:00:00Z", tick=False):
            self.act(8)
        for since in (ASKED["since"], datetime(2026, 11, 24, 6, tzinfo=UTC)):
            self.assertEqual(len(find(Wanted(since=since), size=50).events), 8)
        self.assertEqual(find(Wanted(since=datetime(2026, 11, 24, 7, tzinfo=UTC)), size=50).events, [])

    def test_of_two_criteria_the_one_that_reaches_further_back_leads(self):
        """A few that failed among many of one person's: all are found at once, wherever the person's others end."""
        for outcome, times in ((Outcome.FAILED, 3), (Outcome.SUCCESS, 12)):
            with transaction.atomic():
                for _ in range(times):
                    record(Action.SESSION_CREATED, actor=self.asha, outcome=outcome)
        with patch.multiple("security.audit.search", FEW_LOOKED_AT=4, MOST_LOOKED_AT=6):
            found = find(Wanted(actor=self.asha.pk, outcome="failed"), size=50)
        self.assertEqual((len(found.events), found.next, found.is_cut), (3, None, False))

    def test_where_all_are_frequent_so_many_are_looked_at_and_the_search_goes_on_from_there(self):
        for action, outcome in [
            (Action.SESSION_CREATED, Outcome.FAILED),
            *[(Action.SESSION_CREATED, Outcome.SUCCESS), (Action.SESSION_ENDED, Outcome.FAILED)] * 8,
        ]:
            with transaction.atomic():
                record(action, actor=self.asha, outcome=outcome)
        both = Wanted(type="session.created", outcome="failed")
        with patch.multiple("security.audit.search", FEW_LOOKED_AT=2, MOST_LOOKED_AT=5):
            pages, before = [], None
            while not pages or before is not None:
                found = find(both, size=50, before=before)
                pages.append((len(found.events), found.is_cut))
                before = found.next
        self.assertEqual(pages, [(0, True), (1, False)])

    def test_a_full_page_of_two_criteria_is_no_cut_one(self):
        self.act(FEW_LOOKED_AT + 5)
        found = find(Wanted(actor=self.asha.pk, outcome="success"), size=50)
        self.assertEqual((len(found.events), found.is_cut), (50, False))
        self.assertEqual(found.next, found.events[-1].pk)

    def test_the_statements_of_a_search_are_few(self):
        self.act(3)
        for wanted, most in (
            (Wanted(), 1),
            (Wanted(actor=self.asha.pk), 1),
            (Wanted(since=ASKED["since"], until=ASKED["until"]), 3),
            (Wanted(actor=self.asha.pk, outcome="success"), 3),
            (Wanted(**ASKED), 13),
        ):
            with self.subTest(wanted=wanted), CaptureQueriesContext(connection) as queries:
                find(wanted, size=50)
            self.assertLessEqual(len(queries), most)

    def test_how_many_there_are_is_asked_of_the_planner_and_never_counted(self):
        self.act(40)
        with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("ANALYZE audit_event")
            whole, some = self.about(Wanted()), self.about(Wanted(actor=self.asha.pk))
            all_here = self.about(Wanted(since=datetime(2100, 1, 1, tzinfo=UTC)))
        self.assertIsNone(all_here)
        if connection.vendor == "postgresql":
            self.assertAlmostEqual(whole, 40, delta=4)  # rows of other tests, rolled back, weigh in it
            self.assertAlmostEqual(some, 40, delta=4)
        else:
            self.assertEqual((whole, some), (None, None))
        self.assertEqual([q for q in queries.captured_queries if "COUNT(" in q["sql"].upper()], [])

    def about(self, wanted: Wanted) -> int | None:
        return find(wanted, size=10, is_estimating=True).about

    def test_the_estimate_looks_for_no_end_of_a_time_again(self):
        self.act(12)
        with CaptureQueriesContext(connection) as queries:
            self.about(Wanted(since=ASKED["since"], until=datetime(2100, 1, 1, tzinfo=UTC)))
        told = [query["sql"] for query in queries]
        self.assertEqual(len([sql for sql in told if "LIMIT 1" in sql and "LIMIT 11" not in sql]), 2, told)
        self.assertEqual(sum(sql.startswith("EXPLAIN") for sql in told), int(connection.vendor == "postgresql"))

    @pytest.mark.real
    def test_no_search_is_planned_once_for_all_values(self):
        """Planned so, the one for a rare outcome goes through the whole log from its end."""
        self.act(3)
        for _ in range(12):
            find(Wanted(outcome="failed"), size=50)
            find(Wanted(outcome="failed", type="session.created"), size=50)
            list(walk(Wanted(outcome="failed")))
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%ORDER BY%audit_event%'")
            self.assertEqual(cursor.fetchall(), [])
