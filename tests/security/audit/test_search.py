"""Finding events goes along an index that names them, on both databases, and never over the whole log."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from django.db import connection, transaction

from security.audit import Action, AuditEvent, Wanted, find, record, walk
from security.audit.search import _LEADING
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
        for name, index in INDEXES.items():
            with self.subTest(name):
                rows = AuditEvent.objects.filter(**Wanted(**{name: ASKED[name]}).terms()).order_by("-id")[:50]
                with transaction.atomic(), connection.cursor() as cursor:
                    if connection.vendor == "postgresql":
                        cursor.execute("SET LOCAL enable_seqscan = off")  # the table of a test is small
                        cursor.execute("SET LOCAL enable_sort = off")
                        cursor.execute("SET LOCAL enable_bitmapscan = off")
                    self.assertIn(index, rows.explain())

    def test_each_equality_may_lead(self):
        terms = Wanted(**ASKED).terms()
        self.assertEqual(set(terms), set(_LEADING))

    def test_a_time_is_an_index_of_its_own(self):
        plan = AuditEvent.objects.filter(occurred_at__gte=ASKED["since"]).order_by("occurred_at")[:1]
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_sort = off")
            self.assertIn("audit_time", plan.explain())

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
