"""The page "Statements": the recorder's rows, and advice at the press of a button."""

import re
import threading
from datetime import timedelta

from django.db import OperationalError
from django.utils import timezone

from accounts.staff import StaffRole
from koshflow.operators.statements import advise
from monitoring.database import RecordedStatement
from tests.accounts.admin.door import AdminTestCase

PAGE = "/admin/monitoring/recordedstatement/"


def recorded(name: str, **fields) -> RecordedStatement:
    now = timezone.now()
    given = {"alias": "default", "operation": "select", "calls": 10, "total_ms": 100.0, "max_ms": 20.0} | fields
    text = f'SELECT "{name}" FROM t WHERE a = $1'
    return RecordedStatement.objects.create(
        fingerprint=name, text=text, first_seen_at=now - timedelta(days=1), last_seen_at=now, **given
    )


class Statements(AdminTestCase):
    """By time, by how often they were slow, by how many requests repeated them; each with its plan."""

    def setUp(self):
        super().setUp()
        self.enter()
        # Whatever the tests themselves ran belongs to nobody.
        RecordedStatement.objects.all().delete()

    def shown(self, order: str = "") -> list[str]:
        page = self.client.get(PAGE, {"by": order} if order else {}).content.decode()
        return re.findall(r"SELECT &quot;(\w+)&quot;", page)

    def test_orders(self):
        recorded("slow", total_ms=500.0, slow_calls=3)
        recorded("n_plus_one", repeats=9, route="/api/x", call_site="x.py:7")
        recorded("long", total_ms=50.0, max_ms=49.0)
        self.assertEqual(self.shown(), ["slow", "n_plus_one", "long"])
        self.assertEqual(self.shown("longest")[0], "long")
        self.assertEqual((self.shown("slow"), self.shown("repeated")), (["slow"], ["n_plus_one"]))
        self.assertEqual(self.shown("password"), self.shown())

    def test_nothing_recorded_nothing_slow_nothing_repeated(self):
        for order, sentence in (
            ("", "Nothing was recorded"),
            ("slow", "No statement was slow"),
            ("repeated", "No request"),
        ):
            self.assertContains(self.client.get(PAGE, {"by": order}), sentence)

    def test_one_with_its_plan(self):
        row = recorded("a", plan=["Seq Scan on t", "  Filter: a"], planned_at=timezone.now())
        self.assertContains(self.client.get(f"{PAGE}{row.pk}/change/"), "Seq Scan on t\n  Filter: a")
        for missing in (row.pk + 1, 2**70):
            self.assertEqual(self.client.get(f"{PAGE}{missing}/change/").status_code, 404)

    def test_advice_is_made_at_the_press_of_a_button_alone(self):
        page = self.client.get(f"{PAGE}advice/")
        self.assertContains(page, "Ask for advice now")
        self.assertNotContains(page, "Indexes to make")
        made = self.client.post(f"{PAGE}advice/")
        self.assertContains(made, "Indexes to make")
        self.assertContains(made, "Database default")

    def test_who_may_not_see_them(self):
        self.client.post("/admin/logout/")
        self.enter(StaffRole.SUPPORT, email="bilal@staff.example.in")
        for path in ("", "advice/", "1/change/"):
            self.assertEqual(self.client.get(PAGE + path).status_code, 403)
        self.assertEqual(self.client.post(f"{PAGE}advice/").status_code, 403)


class BoundedAdvice(AdminTestCase):
    """A planner that hangs costs one thread of ours, and nobody waits for it."""

    def test_it_is_waited_for_so_long_and_once(self):
        released = threading.Event()
        ended = threading.Event()

        def hang(alias):
            released.wait(30)
            ended.set()

        self.assertIn("more than 0.05 s", advise(seconds=0.05, make=hang).trouble)
        self.assertIn("already", advise(make=hang).trouble)
        released.set()
        self.assertTrue(ended.wait(30))
        for thread in threading.enumerate():
            if thread.name == "advice":
                thread.join(30)
        self.assertEqual(advise(make=lambda alias: None).trouble, "")

    def test_a_database_that_is_away_is_one_sentence(self):
        def fail(alias):
            raise OperationalError("host db.internal")

        with self.assertLogs("koshflow.database", "WARNING"):
            self.assertEqual(advise(make=fail).trouble, "The database does not answer: OperationalError.")

    def test_whatever_else_fails_is_one_sentence_and_a_line_of_the_log(self):
        def fail(alias):
            raise KeyError("shelf")

        with self.assertLogs("koshflow.database", "ERROR") as logged:
            told = advise(make=fail)
        self.assertEqual((told.given, told.trouble), (None, "No advice could be made: KeyError. The log says where."))
        self.assertEqual(logged.records[0].message, "advice_failed")
