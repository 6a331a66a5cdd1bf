"""The page at `/`."""

from pathlib import Path

import pytest
from django.conf import settings
from django.test import TestCase

from tests.accounts.admin.door import AdminTestCase

pytestmark = pytest.mark.embedded


class Home(TestCase):
    """Says what this is and where to go, and nothing that an outsider could use."""

    def test_it_links_documentation_health_and_administration(self):
        page = self.client.get("/")
        self.assertEqual(page.status_code, 200)
        for link in ('href="/api-docs"', 'href="/health"', 'href="/admin/"'):
            self.assertContains(page, link)

    def test_it_runs_under_a_policy_without_scripts_or_styles_of_its_own(self):
        page = self.client.get("/")
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])
        for inline in ("<script", "<style", "style=", "onclick"):
            self.assertNotContains(page, inline)

    def test_it_asks_the_database_nothing(self):
        with self.assertNumQueries(0):
            self.client.get("/")

    def test_it_only_answers_reading(self):
        self.assertEqual(self.client.head("/").status_code, 200)
        self.assertEqual(self.client.put("/").status_code, 405)

    def test_its_style_is_there(self):
        self.assertTrue((Path(settings.BASE_DIR) / "koshflow/static/koshflow/home.css").is_file())

    def test_the_icon_that_browsers_ask_for_unasked(self):
        answer = self.client.get("/favicon.ico")
        self.assertEqual((answer.status_code, answer.headers["Location"]), (302, "/static/accounts/icon.svg"))
        self.assertEqual(self.client.post("/favicon.ico").status_code, 405)


class Version(AdminTestCase):
    """The version is told to staff who passed the admin's door, and to nobody else."""

    def test_it_is_for_staff_only(self):
        self.assertNotContains(self.client.get("/"), settings.VERSION)
        self.enter()
        self.assertContains(self.client.get("/"), f"Version {settings.VERSION}")
