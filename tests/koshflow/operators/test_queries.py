"""What each operators' page asks of the database, however much stands on it. The dashboard's is in its own tests."""

from datetime import date, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitoring.alerts import RULES
from monitoring.alerts.models import AlertState
from monitoring.errors import ErrorGroup
from monitoring.schedule import Slot, note_run
from tests.accounts.admin.door import AdminTestCase
from tests.koshflow.operators.test_reviews_page import a_review
from tests.koshflow.operators.test_statements_page import recorded

MONITORING = "/admin/monitoring/"
# Six are the door's. One more may be one more; what grows with the rows is a mistake.
MOST = {
    "alertstate/": 10,
    "schedulerun/": 7,
    "recordedstatement/": 7,
    "recordedstatement/?by=repeated": 7,
    "recordedstatement/advice/": 6,
    "performancereview/": 8,
    "errorgroup/": 12,
}


class Queries(AdminTestCase):
    """A page with thirty rows asks as often as a page with one."""

    def put(self, numbers: range) -> None:
        now = timezone.now()
        for number, rule in zip(numbers, RULES[numbers.start :], strict=False):
            AlertState.objects.create(rule=rule.name, status="firing", since=now, fired_at=now, evaluated_at=now)
            slot = Slot(f"entry_{number}", next_at=now, interval_seconds=10)
            note_run(slot, started_at=now, ended_at=now, seconds=0.5)
            recorded(f"s{number}", repeats=9, slow_calls=3, route="/api/x", call_site="x.py:7")
            a_review(date(2026, 1, 5) + timedelta(weeks=number), "/api/x", is_slower=True)
            ErrorGroup.objects.create(
                fingerprint=f"{number:016}", exception="KeyError", count=1, first_seen_at=now, last_seen_at=now,
                first_release="1", last_release="1", state_changed_at=now,
            )  # fmt: skip

    def asked(self, page: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            self.assertEqual(self.client.get(f"{MONITORING}{page}").status_code, 200)
        return len(queries)

    def test_it_does_not_grow(self):
        self.enter()
        self.put(range(1))
        for page in MOST:
            self.asked(page)
        before = {page: self.asked(page) for page in MOST}
        self.put(range(1, 30))
        after = {page: self.asked(page) for page in MOST}
        self.assertEqual(after, before)
        self.assertEqual({page: count for page, count in after.items() if count > MOST[page]}, {})
