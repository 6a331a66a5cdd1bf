"""Every route and every status it can give is worth an A+ of the Mozilla HTTP Observatory, with nineteen headers."""

from http.cookies import SimpleCookie
from unittest import TestCase
from unittest.mock import patch

import pytest
from django.core.handlers.base import BaseHandler
from django.db import OperationalError
from django.test import override_settings

from accounts.login.services import sign_in
from accounts.staff import StaffRole
from security.errors import RateLimited
from security.rbac import Role
from tests.accounts.admin.door import LOGIN as ADMIN_LOGIN
from tests.accounts.admin.door import LOGOUT, AdminTestCase
from tests.contract.answers import PRODUCTION, TABLE, ObservedClient, every_path, kind_of, measured, page
from tests.contract.observatory import STRANGER, Answer, grade, modifiers, redirection_of, score
from tests.factories import asha, bilal

pytestmark = pytest.mark.embedded

LISTED = "https://app.example.in"
STATIC_FILE = "/static/koshflow/home.css"
EVERYWHERE = {200, 204, 400, 401, 403, 404, 405, 413, 415, 429, 500, 503, 301, 302}
REGISTRATION = {
    "companyName": "Lotus Traders",
    "companyEmail": "office@lotus.example.in",
    "adminName": "Asha Rao",
    "adminEmail": "asha@lotus.example.in",
    "password": "Monsoon-Ledger-47",
}
REPORT = b'{"csp-report": {}}'


@override_settings(**PRODUCTION)
class EveryAnswer(AdminTestCase):
    """Each route in each way it can go, under the settings of production."""

    def setUp(self):
        super().setUp()
        self.client = ObservedClient()
        self.paths = [*every_path(), STATIC_FILE, "/static/none.css", "/nowhere", "/api/nowhere"]

    def observe(self):
        """{kind: {status: (least points, least headers)}} of all that was answered over HTTPS."""
        self.client.is_plain = True
        door = self.client.get("/")
        self.client.is_plain = False
        self.client.seen.pop()
        way = redirection_of(status=door.status_code, location=door.headers.get("Location", ""), host="testserver")
        found = {}
        for path, response in self.client.seen:
            worth = measured(response, redirection=way)
            kind, status = kind_of(path), response.status_code
            self.assertEqual(worth[1], 19, f"{path} {status}: {sorted(response.headers)}")
            self.assertEqual(grade(worth[0]), "A+", f"{path} {status}: {worth[0]}")
            least = found.setdefault(kind, {}).get(status, worth)
            found[kind][status] = (min(least[0], worth[0]), min(least[1], worth[1]))
        return found

    def provoke_everywhere(self):
        """What the layers around a view answer, on each path."""
        call = self.client.generic
        for path in self.paths:
            for method in ("GET", "POST", "TRACE", "OPTIONS"):
                call(method, path)
            call("GET", path, headers={"Host": "evil.example"})
            call("GET", path, headers={"Accept": "image/png"})
            call("GET", path, headers={"Accept": "text/html"})
            call("GET", path, headers={"If-None-Match": "*"})
            call("GET", path, QUERY_STRING="q=" + "x" * 9000)
            call("POST", path, content_type="application/json", CONTENT_LENGTH="2000000")
            call("POST", path, content_type="application/json", HTTP_TRANSFER_ENCODING="gzip")
            call("POST", path, data=b"<a/>", content_type="text/xml")
            call("POST", path, data=b"{", content_type="application/json")
            for failure in (RuntimeError("bug"), OperationalError("away")):
                with patch.object(BaseHandler, "resolve_request", side_effect=failure):
                    call("GET", path)
            with patch("security.limits.services.refuse", side_effect=RateLimited(retry_after=7)):
                call("GET", path)

    def provoke_as_people(self):
        """What views answer to those who may, those who may not, and those who try too often."""
        admin = asha(email="asha@rose.example.in")
        token = sign_in(user=admin, amr="pwd").tokens.access
        viewer = sign_in(user=bilal(company=admin.company, role=Role.VIEWER), amr="pwd").tokens.access
        for path in self.paths:
            self.get(path, token=token)
        self.send("patch", "/api/company", {"name": "Rose"}, token=viewer)
        for status in (201, 409):
            self.assertEqual(self.post("/api/auth/register", REGISTRATION).status_code, status)
        self.assertEqual(self.post("/api/auth/password-reset", {"email": admin.email}).status_code, 202)
        self.assertEqual(self.post("/csp-report", REPORT, content_type="application/csp-report").status_code, 204)
        self.client.options("/api/auth/me", headers={"Origin": LISTED, "Access-Control-Request-Method": "GET"})
        for _ in range(6):
            locked = self.post("/api/auth/login", {"email": admin.email, "password": "wrong"})
        self.assertEqual(locked.status_code, 429)
        self.assertEqual(self.post("/api/auth/logout", token=token).status_code, 200)

    def provoke_in_the_admin(self):
        """Staff at the door, inside, and out again; a form without its token."""
        self.client.handler.enforce_csrf_checks = True
        self.client.post(ADMIN_LOGIN, {"email": "x@y.in"})
        self.client.handler.enforce_csrf_checks = False
        self.enter(StaffRole.ADMINISTRATOR)
        for path in self.paths:
            if kind_of(path) in ("admin", "documentation", "operators", "start page") and path != LOGOUT:
                self.client.get(path)
        self.assertEqual(self.client.post(LOGOUT).status_code, 302)

    def provoke_static_files(self):
        first = self.client.get(STATIC_FILE)
        self.assertEqual(first.status_code, 200)
        self.client.get(STATIC_FILE, headers={"If-Modified-Since": first.headers["Last-Modified"]})
        self.client.get(STATIC_FILE, headers={"Range": "bytes=0-3"})
        self.client.get(STATIC_FILE, headers={"Range": "bytes=99999999-"})

    def test_each_is_what_the_table_says(self):
        self.provoke_everywhere()
        self.provoke_as_people()
        self.provoke_in_the_admin()
        self.provoke_static_files()
        found = self.observe()
        self.assertLessEqual(EVERYWHERE - {301}, {status for statuses in found.values() for status in statuses})
        self.assertEqual(found, TABLE)

    def test_over_plain_http_they_are_seventeen_and_not_those_two(self):
        self.client.is_plain = True
        for path in self.paths:
            self.client.get(path)
            self.client.post(path)
        for path, response in self.client.seen:
            with self.subTest(path):
                self.assertEqual(measured(response, redirection=0)[1], 17, sorted(response.headers))
                self.assertNotIn("Strict-Transport-Security", response.headers)
                self.assertNotIn("Reporting-Endpoints", response.headers)
        self.assertLessEqual({200, 301, 403}, {response.status_code for _, response in self.client.seen})


class Rules(TestCase):
    """The Observatory's points, by its own table."""

    BEST = {
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "strict-transport-security": "max-age=63072000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "same-origin",
    }

    def points(self, name, cookies="", body="", **headers):
        changed = {key.replace("_", "-"): value for key, value in headers.items()}
        jar = SimpleCookie(cookies)
        return modifiers(Answer({**self.BEST, **changed}, tuple(jar.values()), body))[name]

    def test_what_everything_together_is_worth(self):
        self.assertEqual(score(Answer(self.BEST)), 150)
        self.assertEqual(score(Answer({})), 100 - 25 - 20 - 5 - 20)
        self.assertEqual((grade(155), grade(100), grade(99), grade(55), grade(0)), ("A+", "A+", "A", "C", "F"))

    def test_the_bonus_counts_only_from_ninety(self):
        almost = {**self.BEST, "strict-transport-security": "max-age=100"}
        self.assertEqual(score(Answer(almost)), 140)
        without = {name: value for name, value in self.BEST.items() if name != "strict-transport-security"}
        self.assertEqual(score(Answer(without)), 80)
        self.assertEqual(score(Answer(self.BEST), redirection=-20), 80)

    def test_the_policy(self):
        for policy, points in {
            "": -25,
            "default-src 'self'": 5,
            "default-src 'none'; script-src 'self' 'nonce-x'": 10,
            "default-src 'none'; script-src 'unsafe-inline'": -20,
            "default-src 'none'; script-src 'unsafe-inline' 'nonce-x'": 10,
            "default-src 'none'; script-src data:": -20,
            "default-src 'none'; script-src 'unsafe-eval'": -10,
            "img-src 'self'": -20,
            "default-src 'none'; object-src *": -20,
            "default-src 'none'; font-src http://a.in": -20,
            "default-src 'none'; img-src http://a.in": -10,
            "default-src 'none'; style-src 'unsafe-inline'": 0,
            "default-src 'none'; report-uri http://a.in/r": 10,
        }.items():
            with self.subTest(policy):
                self.assertEqual(self.points("content-security-policy", content_security_policy=policy), points)

    def test_cookies(self):
        for cookie, points in {
            "": 0,
            "sessionid=1; Secure; HttpOnly; SameSite=Lax": 5,
            "sessionid=1; Secure; HttpOnly": 0,
            "sessionid=1; Secure; SameSite=Lax": -30,
            "sessionid=1; HttpOnly; SameSite=Lax": -10,
            "theme=1; SameSite=Lax": -5,
            "csrftoken=1; Secure; HttpOnly": -20,
        }.items():
            with self.subTest(cookie):
                self.assertEqual(self.points("cookies", cookies=cookie), points)
        bare = self.points("cookies", cookies="sessionid=1; HttpOnly; SameSite=Lax", strict_transport_security="")
        self.assertEqual(bare, -40)

    def test_the_others(self):
        for name, header, value, points in (
            ("referrer-policy", "referrer_policy", "unsafe-url", -5),
            ("referrer-policy", "referrer_policy", "same-origin", 5),
            ("strict-transport-security", "strict_transport_security", "max-age=1", -10),
            ("strict-transport-security", "strict_transport_security", "", -20),
            ("x-content-type-options", "x_content_type_options", "", -5),
            ("cross-origin-resource-policy", "cross_origin_resource_policy", "cross-origin", 0),
            ("cross-origin-opener-policy", "cross_origin_opener_policy", "unsafe-none", 0),
            ("cross-origin-embedder-policy", "cross_origin_embedder_policy", "credentialless", 10),
        ):
            with self.subTest(name, value=value):
                self.assertEqual(self.points(name, **{header: value}), points)
        framed = {"content_security_policy": "default-src 'none'"}
        self.assertEqual(self.points("x-frame-options", **framed), 0)
        self.assertEqual(self.points("x-frame-options", **framed, x_frame_options=""), -20)
        shared = {"access_control_allow_origin": STRANGER, "access_control_allow_credentials": "true"}
        self.assertEqual(self.points("cross-origin-resource-sharing", **shared), -50)

    def test_scripts_of_others(self):
        for tag, points in {
            '<script src="/a.js"></script>': 0,
            '<script src="https://b.in/a.js"></script>': -5,
            '<script src="https://b.in/a.js" integrity="sha384-x"></script>': 5,
            '<script src="//b.in/a.js"></script>': -50,
        }.items():
            self.assertEqual(self.points("subresource-integrity", body=tag, content_type="text/html"), points)

    def test_redirection(self):
        for status, location, points in (
            (301, "https://a.in/", 0),
            (301, "https://b.in/", -5),
            (301, "http://a.in/", -20),
            (200, "", -20),
        ):
            self.assertEqual(redirection_of(status=status, location=location, host="a.in"), points)

    def test_the_page_has_a_row_for_each(self):
        self.assertEqual(page().count("| A+ |"), sum(map(len, TABLE.values())))
