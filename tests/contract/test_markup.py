"""Markup in what people type: taken out of names on the way in, and never run where some stands all the same."""

from accounts.identity.models import User
from accounts.staff import StaffRole
from tests.accounts.admin.door import AdminTestCase
from tests.accounts.registration.test_register import a_registration
from tests.base import ApiTestCase
from tests.contract.observatory import directives
from tests.factories import asha

SCRIPT = "<script>alert(1)</script>"
BROKEN_OUT = "\"'><img src=x onerror=alert(1)>"
ME, COMPANY, REGISTER = "/api/auth/me", "/api/company", "/api/auth/register"


class MarkupTyped(ApiTestCase):
    """Each field for a person's plain text takes markup out and leaves every other name as it was sent."""

    def doors(self):
        """For each such field: its name, how to send it, and the member of the answer that shows what was kept."""
        token = self.log_in(asha())["accessToken"]
        numbers = iter(range(100))

        def register(**members):
            addresses = {name: f"lotus{next(numbers)}@example.in" for name in ("companyEmail", "adminEmail")}
            return self.post(REGISTER, a_registration(**addresses, **members))

        yield "adminName", lambda text: register(adminName=text), lambda body: body["user"]["name"]
        yield "companyName", lambda text: register(companyName=text), lambda body: body["company"]["name"]
        change_person = lambda text: self.send("patch", ME, {"name": text}, token=token)  # noqa: E731
        yield "name", change_person, lambda body: body["user"]["name"]
        change_company = lambda text: self.send("patch", COMPANY, {"name": text}, token=token)  # noqa: E731
        yield "name", change_company, lambda body: body["name"]

    def assertKept(self, pairs):
        """Each text of `pairs`, sent to each field, is kept as its neighbour says."""
        for field, send, kept in self.doors():
            for text, name in pairs:
                with self.subTest(field, text=text):
                    response = send(text)
                    self.assertIn(response.status_code, (200, 201), response.content)
                    self.assertEqual(kept(response.json()), name)

    def assertRefused(self, texts, code):
        """Each of `texts`, sent to each field, is refused with that field and this code."""
        for field, send, _ in self.doors():
            for text in texts:
                with self.subTest(field, text=text[:20]):
                    document = self.assertProblem(send(text), 400, "VALIDATION_FAILED", field=field)
                    self.assertEqual([entry["code"] for entry in document["details"]], [code])

    def test_it_is_taken_out_and_the_rest_stays(self):
        self.assertKept(
            (
                ("<b>Asha</b> Rao<!-- x -->", "Asha Rao"),
                ("<<i>script>AT&T<</i>/script>", "AT&T"),
                (BROKEN_OUT, "\"'>"),
            )
        )

    def test_every_other_name_comes_back_byte_for_byte(self):
        names = ("AT&T", "O'Neil & Sons, a < b", "&lt;b&gt; Rao", "आशा क्\u200dष 👩\u200d💼")
        self.assertKept([(name, name) for name in names])

    def test_nothing_but_markup_is_blank(self):
        self.assertRefused(("<br>", "<script></script>", "<!-- Asha", " <p> </p> "), "blank")

    def test_ten_kilobytes_of_it_are_refused_by_their_length(self):
        self.assertRefused(("<b>" * 3400, "&lt;" * 2500, "<!--" * 2500, "<" * 10_000), "max_length")


class MarkupInNames(AdminTestCase):
    """A stored name may hold some, from an import say; the API gives it as text, the admin shows it, it never acts."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.token = self.log_in(self.person)["accessToken"]

    def rename(self, name):
        User.objects.filter(pk=self.person.pk).update(name=name)

    def test_the_api_gives_it_as_json_that_nobody_sniffs(self):
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
