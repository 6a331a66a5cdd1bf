"""The `type` of a refusal (RFC 9457 §3.1.1)."""

from urllib.parse import urlsplit

from security.errors import CODES
from tests.base import ApiTestCase


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
