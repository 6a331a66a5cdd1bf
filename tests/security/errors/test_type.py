"""The `type` of a refusal (RFC 9457 §3.1.1)."""

import re
from urllib.parse import urlsplit

import pytest
from django.utils.html import escape

from security.errors import CODES
from tests.base import ApiTestCase

pytestmark = pytest.mark.embedded

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class TypeOfARefusal(ApiTestCase):
    """Whoever follows it learns what the code means, and what every other one does."""

    def test_it_leads_to_what_the_code_means(self):
        refusal = self.get("/api/auth/me")
        leads_to = urlsplit(refusal.json()["type"])
        page = self.get(leads_to.path)
        self.assertEqual(page.status_code, 200)
        self.assertIn(f"`{leads_to.fragment.upper()}`", page.content.decode())

    def test_no_code_is_missing(self):
        text = self.get("/errors").content.decode()
        self.assertEqual([name for name in CODES if f"| `{name}` | {CODES[name].status} |" not in text], [])

    def test_a_browser_gets_a_page_with_an_anchor_for_each_code(self):
        fragment = urlsplit(self.get("/api/auth/me").json()["type"]).fragment
        response = self.get("/errors", headers={"Accept": BROWSER})
        self.assertEqual(response.headers["Content-Type"], "text/html; charset=utf-8")
        page = response.content.decode()
        shown = dict(re.findall(r'<dt id="([^"]+)">.*?<span>(\d+)</span></dt>', page))
        self.assertIn(fragment, shown)
        self.assertEqual(shown, {name.lower(): str(code.status) for name, code in CODES.items()})
        for code in CODES.values():
            self.assertIn(f"<dd>{escape(code.detail)}</dd>", page)

    def test_the_page_keeps_a_strict_policy_and_sets_no_cookie(self):
        response = self.get("/errors", headers={"Accept": BROWSER})
        policy = response.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertIn("style-src 'self'", policy)
        self.assertNotIn("sandbox", policy)  # there the style sheet would be a stranger's
        self.assertNotRegex(response.content.decode(), r"<style|\sstyle=|<script|\son\w+=|https?://")
        self.assertFalse(response.cookies)
        self.assertIn("Accept", response.headers["Vary"])

    def test_everybody_else_gets_the_text(self):
        for accept in ("", "*/*", "text/plain", "application/json", "text/plain, text/html;q=0.5", "text/html," * 400):
            response = self.get("/errors", headers={"Accept": accept} if accept else {})
            self.assertEqual(response.headers["Content-Type"], "text/plain; charset=utf-8", accept[:40])
