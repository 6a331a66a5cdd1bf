"""Markup in what people type: kept as they typed it, and never run (OWASP: escape on output, not on input)."""

from accounts.staff import StaffRole
from tests.accounts.admin.door import AdminTestCase
from tests.contract.observatory import directives
from tests.factories import asha

SCRIPT = "<script>alert(1)</script>"
BROKEN_OUT = "\"'><img src=x onerror=alert(1)>"


class MarkupInNames(AdminTestCase):
    """A name may hold markup; the API gives it back as text, the admin shows it, and neither lets it act."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.token = self.log_in(self.person)["accessToken"]

    def rename(self, name):
        response = self.send("patch", "/api/auth/me", {"name": name}, token=self.token)
        self.assertEqual(response.status_code, 200, response.content)

    def test_the_api_gives_back_what_was_typed_as_json_that_nobody_sniffs(self):
        for name in (SCRIPT, BROKEN_OUT, "Rao & Söhne <b>"):
            self.rename(name)
            response = self.me(self.token)
            self.assertEqual(response.json()["user"]["name"], name)
            self.assertEqual(response.headers["Content-Type"], "application/json")
            self.assertEqual(response.headers["X-Content-Type-Options"], "nosniff")

    def test_the_admin_shows_it_escaped_in_lists_pages_and_searches(self):
        self.enter(StaffRole.ADMINISTRATOR)
        for name in (SCRIPT, BROKEN_OUT):
            self.rename(name)
            for path in ("/admin/accounts/user/", self.page_of(self.person), f"/admin/accounts/user/?q={name}"):
                page = self.client.get(path).content.decode()
                with self.subTest(path):
                    self.assertNotIn(name, page)
                    self.assertNotIn("<img src=x", page)
                    self.assertIn("alert(1)", page)

    def test_an_address_that_holds_it_is_shown_escaped_too(self):
        self.enter(StaffRole.ADMINISTRATOR)
        for path in (f"/admin/{SCRIPT}/", f"/admin/login/?next={SCRIPT}", f"/nowhere/{SCRIPT}"):
            page = self.client.get(path, headers={"Accept": "text/html"}).content.decode()
            self.assertNotIn(SCRIPT, page, path)

    def test_if_it_did_stand_in_a_page_the_policy_would_not_run_it(self):
        self.enter(StaffRole.ADMINISTRATOR)
        for path in ("/admin/", "/admin/accounts/user/", "/", "/api-docs"):
            response = self.client.get(path)
            scripts = directives(response.headers["Content-Security-Policy"])["script-src"]
            self.assertFalse({"'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "data:"} & set(scripts))
            self.assertNotRegex(response.content.decode(), r"<[^>]+\son[a-z]+=|javascript:")

    def test_a_password_is_never_altered(self):
        password = '<b>Monsoon</b> & "Ledger" -47 &amp; <script>'
        body = {"currentPassword": "Monsoon-Ledger-47", "newPassword": password}
        self.assertEqual(self.post("/api/auth/change-password", body, token=self.token).status_code, 200)
        self.log_in(self.person, password)
        without = {"email": self.person.email, "password": password.replace("<b>", "")}
        self.assertProblem(self.post("/api/auth/login", without), 401, "INVALID_CREDENTIALS")
