"""The page "Performance reviews"."""

from datetime import date

from django.utils import timezone

from accounts.staff import StaffRole
from monitoring.reviews import PerformanceReview
from tests.accounts.admin.door import AdminTestCase

PAGE = "/admin/monitoring/performancereview/"


def a_review(week: date, route: str, *, is_slower: bool = False) -> None:
    statements = {"statements": [{"text": "SELECT a", "planChanged": True, "new": False, "repeats": 0}]}
    one = {"method": "GET", "route": route, "requests": 200, "failed": 0.01, "p95": 640.0, "before": 70.0}
    one |= {"regression": is_slower} | (statements if is_slower else {})
    document = {
        "routes": [one],
        "requests": 200,
        "releases": [{"version": "0.2.0", "since": "2026-11-18T20:00:00+00:00"}],
    }
    PerformanceReview.objects.create(week=week, made_at=timezone.now(), document=document)


class Reviews(AdminTestCase):
    """The latest, or the week that is asked for."""

    def test_the_latest_and_another(self):
        self.enter()
        a_review(date(2026, 11, 16), "/api/new", is_slower=True)
        a_review(date(2026, 11, 9), "/api/old")
        for question in ({}, {"week": "nothing"}, {"week": "2020-01-06"}):
            page = self.client.get(PAGE, question)
            self.assertContains(page, "GET /api/new")
            self.assertContains(page, "slower")
            self.assertContains(page, "Its plan changed: SELECT a")
            self.assertContains(page, "1.00%")
            self.assertContains(page, "first served on 19 Nov 2026, 01:30.")
            self.assertContains(page, "Times are those of India.")
        self.assertContains(self.client.get(PAGE, {"week": "2026-11-09"}), "GET /api/old")

    def test_none_yet_says_how_to_make_one(self):
        self.enter()
        self.assertContains(self.client.get(PAGE), "manage.py performance_review")

    def test_who_may_not_see_them(self):
        self.enter(StaffRole.SUPPORT)
        self.assertEqual(self.client.get(PAGE).status_code, 403)
