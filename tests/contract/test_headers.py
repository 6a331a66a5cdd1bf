"""What the fixed headers say, answer by answer. How many stand where, and their worth, is `test_observatory.py`'s."""

import tempfile
from pathlib import Path
from unittest import TestCase

import pytest
from django.core.management import call_command
from django.test import override_settings

from koshflow.unreadable import answer
from security.context import Client as ContextClient
from security.context import RequestContext, bind
from security.errors import HeadersTooLarge, InternalError, MalformedRequest, RequestTimeout, UriTooLong
from security.middleware.headers import HEADERS
from tests.accounts.admin.door import INDEX, LOGIN, LOGOUT, AdminTestCase
from tests.base import ApiTestCase
from tests.contract.answers import PRODUCTION, ObservedClient
from tests.contract.observatory import directives, useful_headers
from tests.factories import asha

pytestmark = pytest.mark.embedded

WIPED = '"cache", "cookies", "storage"'
# What tells a stranger which programs and versions answer, and what browsers have long dropped.
UNWANTED = (
    "X-Powered-By",
    "Server",
    "Via",
    "X-AspNet-Version",
    "Expect-CT",
    "Public-Key-Pins",
    "Feature-Policy",
    "Pragma",
)


def words(header: str) -> list[str]:
    return sorted(word.strip().lower() for word in header.split(","))


class Values(ApiTestCase):
    """Their values are fixed, whoever asks and whatever is answered."""

    def answers(self):
        token = self.log_in(asha())["accessToken"]
        return [
            self.me(token),
            self.get("/api/auth/me"),
            self.get("/api/nothing"),
            self.post("/api/auth/login", b"{"),
            self.post("/api/auth/login", b"", content_type="text/xml"),
            self.get("/api/auth/login"),
            self.get("/"),
            self.get("/.well-known/jwks.json"),
            self.get("/.well-known/change-password"),
        ]

    def test_each_has_its_one_value(self):
        for response in self.answers():
            for name, value in HEADERS:
                if name != "Vary":
                    with self.subTest(name, path=response.request["PATH_INFO"], status=response.status_code):
                        self.assertEqual(response.headers[name], value)

    def test_every_answer_varies_by_origin_sign_in_and_form(self):
        for response in self.answers():
            varies = words(response.headers["Vary"])
            self.assertEqual(len(varies), len(set(varies)), varies)
            self.assertLessEqual({"origin", "authorization", "accept"}, set(varies))

    def test_a_page_with_a_session_varies_by_its_cookie_too(self):
        self.assertIn("cookie", words(self.get(LOGIN).headers["Vary"]))

    def test_nothing_tells_of_what_answers_here(self):
        for response in self.answers():
            for name in UNWANTED:
                self.assertNotIn(name, response.headers)

    def test_nobody_has_said_so_much_that_it_stands_twice(self):
        for response in self.answers():
            names = [name.lower() for name, _ in response.items()]
            self.assertEqual(len(names), len(set(names)))


class Policies(AdminTestCase):
    """The API allows a browser nothing; a page allows our own files and what carries the nonce of this one answer."""

    def test_of_the_api(self):
        policy = directives(self.get("/api/nothing").headers["Content-Security-Policy"])
        self.assertEqual(policy.pop("sandbox"), [])
        self.assertEqual(
            policy,
            {name: ["'none'"] for name in ("default-src", "frame-ancestors", "base-uri", "form-action")},
        )
        self.assertEqual(self.get("/api/nothing").headers["Referrer-Policy"], "no-referrer")

    def test_of_pages(self):
        self.enter()
        for path in (INDEX, LOGIN, "/", "/api-docs", "/admin/accounts/user/"):
            response = self.client.get(path)
            policy = directives(response.headers["Content-Security-Policy"])
            with self.subTest(path):
                self.assertEqual(policy["default-src"], ["'none'"])
                for name in ("base-uri", "object-src", "frame-ancestors"):
                    self.assertEqual(policy[name], ["'none'"])
                for name in ("script-src", "style-src"):
                    self.assertRegex(" ".join(policy[name]), r"^'self'( 'nonce-[a-z0-9+/=_-]{16,}')?$")
                self.assertEqual(policy["form-action"], ["'self'"])
                # Django's check of a form over HTTPS needs the Referer.
                self.assertEqual(response.headers["Referrer-Policy"], "same-origin")

    def test_a_page_says_where_violations_are_reported(self):
        for path in (LOGIN, "/", "/api-docs"):
            response = self.client.get(path)
            policy = directives(response.headers["Content-Security-Policy"])
            self.assertEqual(policy["report-uri"], ["/csp-report"])
            self.assertNotIn("report-to", policy)  # with it browsers would pass over report-uri, and send nothing
            self.assertNotIn("Reporting-Endpoints", response.headers)
            response = self.client.get(path, secure=True)
            policy = directives(response.headers["Content-Security-Policy"])
            self.assertEqual((policy["report-uri"], policy["report-to"]), (["/csp-report"], ["csp"]))
            self.assertEqual(response.headers["Reporting-Endpoints"], 'csp="/csp-report"')


class Caching(ApiTestCase):
    """Nothing is kept but what is public: the keys for five minutes, files named by their content for ever."""

    def test_answers_and_refusals_are_not_kept(self):
        token = self.log_in(asha())["accessToken"]
        for response in (self.me(token), self.get("/api/nothing"), self.get("/"), self.get("/health"), self.get(LOGIN)):
            self.assertIn("no-store", response.headers["Cache-Control"])

    def test_the_keys(self):
        kept = self.get("/.well-known/jwks.json").headers["Cache-Control"]
        self.assertEqual(kept, "public, max-age=300")
        refused = self.post("/.well-known/jwks.json")
        self.assertEqual((refused.status_code, refused.headers["Cache-Control"]), (405, "no-store"))

    def test_static_files_named_by_their_content(self):
        with tempfile.TemporaryDirectory() as sources, tempfile.TemporaryDirectory() as collected:
            (Path(sources) / "ledger.css").write_text("body { color: #123 }")
            manifest = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
            memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
            with override_settings(
                STORAGES={"default": memory, "staticfiles": manifest},
                STATICFILES_DIRS=[sources],
                STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
                STATIC_ROOT=collected,
                WHITENOISE_USE_FINDERS=False,
            ):
                call_command("collectstatic", interactive=False, verbosity=0)
                (hashed,) = (path.name for path in Path(collected).glob("ledger.*.css"))
                response = self.get(f"/static/{hashed}", headers={"Accept-Encoding": "gzip"})
                response.getvalue()
        self.assertEqual(response.status_code, 200)
        kept = response.headers["Cache-Control"]
        self.assertIn("immutable", kept)
        self.assertIn("public", kept)
        self.assertEqual(response.headers["X-Content-Type-Options"], "nosniff")

    def test_a_static_file_is_whole_whatever_part_is_asked_for(self):
        whole = self.get("/static/koshflow/home.css").getvalue()
        for part in ("bytes=0-3", "bytes=99999-", "bytes=5-2", "bytes=-0", "bytes=0-1,4-5", "lines=1-2"):
            with self.subTest(part):
                response = self.get("/static/koshflow/home.css", headers={"Range": part})
                self.assertEqual((response.status_code, response.getvalue()), (200, whole))
                self.assertEqual({"Content-Range", "Accept-Ranges"} & set(response.headers), set())


class SigningOut(AdminTestCase):
    """Whoever signs out leaves nothing in the browser, at the API and in the admin."""

    def test_at_the_api(self):
        token = self.log_in(asha())["accessToken"]
        self.assertEqual(self.post("/api/auth/logout", token=token).headers["Clear-Site-Data"], WIPED)
        again = self.post("/api/auth/logout", token=token)
        self.assertProblem(again, 401, "TOKEN_REVOKED")
        self.assertNotIn("Clear-Site-Data", again.headers)

    def test_in_the_admin(self):
        self.enter()
        self.assertNotIn("Clear-Site-Data", self.client.get(INDEX).headers)
        self.assertEqual(self.client.post(LOGOUT).headers["Clear-Site-Data"], WIPED)


@override_settings(**PRODUCTION)
class Cookies(AdminTestCase):
    """In production every cookie is this host's alone, unreadable to scripts, and stays at home (ASVS 3.3)."""

    def setUp(self):
        super().setUp()
        self.client = ObservedClient()

    def test_each_that_is_set_on_the_way_in_and_out(self):
        self.client.get(LOGIN)
        self.enter()
        self.client.get("/admin/accounts/user/")
        self.client.post(LOGOUT)
        cookies = [cookie for _, response in self.client.seen for cookie in response.cookies.values()]
        self.assertEqual({cookie.key for cookie in cookies}, {"__Host-sessionid", "__Host-csrftoken"})
        for cookie in cookies:
            with self.subTest(cookie.key, value=bool(cookie.value)):
                self.assertTrue(cookie["secure"])
                self.assertEqual((cookie["path"], cookie["domain"], cookie["samesite"]), ("/", "", "Lax"))
                if cookie.value:
                    self.assertTrue(cookie["httponly"])
                self.assertLess(len(cookie.OutputString()), 4096)

    def test_the_api_sets_none(self):
        token = self.log_in(asha())["accessToken"]
        self.me(token)
        self.get("/api/nothing")
        self.post("/api/auth/logout", token=token)
        self.assertEqual([dict(response.cookies) for _, response in self.client.seen if response.cookies], [])


class ServerProcess(TestCase):
    """What the server process refuses by itself carries the same but for the two of HTTPS: it knows no scheme."""

    def test_each_of_its_refusals(self):
        for problem in (MalformedRequest(), RequestTimeout(), UriTooLong(), HeadersTooLarge(), InternalError()):
            with bind(RequestContext("0123456789abcdef", ContextClient("", ""))):
                head = answer(problem).partition(b"\r\n\r\n")[0].decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:])
            with self.subTest(problem.code.name):
                self.assertEqual(len(useful_headers(headers)), 17, sorted(headers))
                self.assertLessEqual(dict(HEADERS).items(), headers.items())
