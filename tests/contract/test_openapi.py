"""The OpenAPI document tells the truth: it is valid, complete, and its examples run."""

import json
import tempfile
from pathlib import Path

import pytest
from django.test import override_settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from rest_framework.views import APIView

from accounts.sessions.models import Session
from accounts.twofactor.totp import STEP_SECONDS
from koshflow.openapi.examples import EXAMPLES, MORE_EXAMPLES
from security.tlog import seal_pending
from tests.accounts.admin.door import AdminTestCase
from tests.accounts.passwords.test_reset import mailed_token
from tests.accounts.twofactor.authenticator import code_of
from tests.base import ApiTestCase
from tests.factories import a_person, asha

pytestmark = pytest.mark.embedded

DOCUMENT = "/api-docs/openapi.json"
# What a summary may begin with; a new one is added here, where it can be seen to be an order.
VERBS = {
    "Ask",
    "Begin",
    "Change",
    "End",
    "Exchange",
    "List",
    "Read",
    "Register",
    "Replace",
    "Search",
    "Set",
    "Sign",
    "Turn",
}


def api_routes(patterns=None, prefix=""):
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from api_routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
            if view is not None and issubclass(view, APIView):
                yield "/" + route.replace("<uuid:pk>", "{id}").replace("<path:place>", "{place}")


class OpenApiDocument(ApiTestCase):
    """`/api-docs/openapi.json` is OpenAPI 3.1, with every route and every refusal."""

    def setUp(self):
        super().setUp()
        self.document = self.get(DOCUMENT).json()

    def test_it_is_valid_and_of_version_3_1(self):
        validate(self.document)
        self.assertTrue(self.document["openapi"].startswith("3.1"))

    def test_every_route_is_in_it(self):
        self.assertEqual(set(api_routes()), set(self.document["paths"]))

    def test_every_operation_names_its_refusals_by_one_component(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                with self.subTest(f"{method} {path}"):
                    for status in ("400", "405", "406", "500", "503"):
                        answer = operation["responses"][status]
                        if "$ref" in answer:
                            answer = self.document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                        content = answer["content"]["application/problem+json"]
                        self.assertEqual(content["schema"], {"$ref": "#/components/schemas/Problem"})
                    if operation.get("security"):
                        self.assertIn("401", operation["responses"])
                    if path.startswith("/api/"):
                        self.assertIn("403", operation["responses"])  # HTTPS_REQUIRED, whatever the operation

    def test_bodies_and_answers_are_named_components(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                body = operation.get("requestBody", {}).get("content", {}).get("application/json")
                with self.subTest(f"{method} {path}"):
                    if body:
                        self.assertIn("$ref", body["schema"])

    def test_every_operation_says_what_it_is(self):
        summaries = []
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                with self.subTest(f"{method} {path}"):
                    self.assertNotIn("api_auth", operation["operationId"])
                    self.assertTrue(operation["tags"])
                    summary, description = operation.get("summary", ""), operation.get("description", "")
                    # An order such as "End your other sessions": one line of a menu, told apart from all others.
                    self.assertRegex(summary, r"^[A-Z][a-z]+ [\w' ]{1,58}[^ .]$")
                    self.assertLessEqual(len(summary), 60)
                    self.assertIn(summary.split()[0], VERBS)
                    self.assertRegex(description, r"^[A-Z`].*\.$")
                    self.assertNotEqual(description.rstrip("."), summary)
                    summaries.append(summary)
        self.assertEqual(len(summaries), len(set(summaries)))

    def test_every_body_shows_an_example(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if "requestBody" in operation:
                    with self.subTest(f"{method} {path}"):
                        body = operation["requestBody"]["content"]["application/json"]
                        self.assertTrue(body.get("example") or body.get("examples"))

    def test_pages_are_as_it_says_from_the_first_to_the_last(self):
        person = asha()
        self.log_in(person)
        token = self.log_in(person)["accessToken"]
        with tempfile.TemporaryDirectory() as folder, override_settings(AUDIT_SIGNER_DIR=Path(folder)):
            seal_pending()
            self.get("/api/audit/events", token=token)
            seal_pending()
            asked = {"from": "2026-04-01T00:00:00Z", "to": "2126-04-01T00:00:00Z", "format": "csv"}
            for _ in range(2):
                self.assertEqual(self.post("/api/audit/exports", asked, token=token).status_code, 201)
        for path in ("/api/auth/sessions", "/api/audit/events", "/api/audit/checkpoints", "/api/audit/exports"):
            operation = self.document["paths"][path]["get"]
            said = operation["responses"]["200"]["content"]["application/json"]["schema"]
            size = next(one for one in operation["parameters"] if one["name"] == "pageSize")
            self.assertEqual(size["description"], "From 1 to 100; 25 where it is left out.", path)
            pages, address = 0, f"{path}?pageSize=1"
            while address and pages < 3:
                page = self.get(address, token=token).json()
                with self.subTest(address):
                    Draft202012Validator({**said, "components": self.document["components"]}).validate(page)
                pages, address = pages + 1, page["next"]
            self.assertGreater(pages, 1, path)
        self.assertNotIn('"nullable"', json.dumps(self.document))  # a word of OpenAPI 3.0, which 3.1 passes over

    def test_generation_has_nothing_to_warn_of(self):
        from drf_spectacular.drainage import GENERATOR_STATS

        GENERATOR_STATS.reset()
        SchemaGenerator().get_schema(request=None, public=True)
        self.assertFalse(GENERATOR_STATS, GENERATOR_STATS._warn_cache)


class Examples(ApiTestCase):
    """The examples of the document, sent in order, do what they show."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.left = [*EXAMPLES.values(), *(body for more in MORE_EXAMPLES.values() for body in more.values())]
        paths = self.get(DOCUMENT).json()["paths"]
        self.doors = {
            operation["operationId"]: (method, path)
            for path, item in paths.items()
            for method, operation in item.items()
            if "requestBody" in operation
        }

    def run_example(self, name: str, *, way: str = "", status: int = 200, access: str = "", **real) -> dict:
        """The answer to an operation's example in which `real` replaces what only an earlier answer could tell."""
        body = MORE_EXAMPLES[name][way] if way else EXAMPLES[name]
        self.assertLessEqual(set(real), set(body))
        method, path = self.doors[name]
        response = self.send(method, path, {**body, **real}, token=access)
        self.assertEqual(response.status_code, status, response.content)
        self.left.remove(body)
        return response.json()

    def seal(self) -> None:
        with tempfile.TemporaryDirectory() as folder, override_settings(AUDIT_SIGNER_DIR=Path(folder)):
            seal_pending()

    def next_code(self, secret: str) -> str:
        self.clock.advance(seconds=STEP_SECONDS)  # a code works once
        return code_of(secret)

    def test_the_journey_of_the_examples(self):
        self.run_example("register", status=201)
        refresh = self.run_example("login")["refreshToken"]
        access = self.run_example("refresh", refreshToken=refresh)["accessToken"]
        self.assertEqual(self.run_example("me_update", access=access)["user"]["phone"], "+919845012345")
        self.run_example("company_update", access=access)
        self.seal()
        self.run_example("audit_export_create", access=access, status=201)
        self.run_example("audit_export_create", way="any time", access=access, status=201)
        secret = self.run_example("two_factor_setup", access=access)["secret"]
        self.run_example("two_factor_verify", access=access, token=code_of(secret))
        answer = self.run_example("login", way="password and code", twoFactorCode=self.next_code(secret))
        self.assertIn("accessToken", answer)
        challenge = self.post("/api/auth/login", EXAMPLES["login"]).json()["challengeToken"]
        real = {"challengeToken": challenge, "twoFactorCode": self.next_code(secret)}
        self.assertIn("accessToken", self.run_example("login", way="answer to a challenge", **real))
        codes = self.run_example("two_factor_recovery_codes", access=access, token=self.next_code(secret))
        self.assertEqual(len(codes["recoveryCodes"]), 10)
        self.run_example("two_factor_disable", access=access, token=self.next_code(secret))
        self.run_example("change_password", access=access)
        self.run_example("logout", access=access)
        self.run_example("password_reset", status=202)
        self.run_example("password_reset_confirm", token=mailed_token())
        self.log_in(EXAMPLES["login"]["email"], EXAMPLES["password_reset_confirm"]["newPassword"])
        self.assertEqual(self.left, [])

    def test_each_body_has_one(self):
        self.assertEqual(set(self.doors), set(EXAMPLES))
        self.assertLessEqual(MORE_EXAMPLES.keys(), EXAMPLES.keys())

    def test_an_operation_with_several_shows_each_by_its_name(self):
        login = self.get(DOCUMENT).json()["paths"]["/api/auth/login"]["post"]["requestBody"]["content"]
        shown = login["application/json"]["examples"]
        self.assertEqual(
            {name: entry["value"] for name, entry in shown.items()},
            {"simplest": EXAMPLES["login"]} | MORE_EXAMPLES["login"],
        )


@override_settings(API_DOCS_PUBLIC=False)
class WhoMayReadTheDocumentation(ApiTestCase):
    """Where it is not opened by setting, staff with a verified second factor only."""

    def test_strangers_and_people_of_companies_may_not(self):
        for path in (DOCUMENT, "/api-docs"):
            self.assertProblem(self.client.get(path), 401, "NO_TOKEN")
        self.client.force_login(asha())
        self.assertProblem(self.client.get("/api-docs"), 401, "NO_TOKEN")

    def test_staff_without_the_second_factor_may_not(self):
        self.client.force_login(a_person(role=None))
        for path in (DOCUMENT, "/api-docs"):
            self.assertProblem(self.client.get(path), 401, "NO_TOKEN")


@override_settings(API_DOCS_PUBLIC=False)
class StaffReadTheDocumentation(AdminTestCase):
    """Staff who passed the admin's door read it while their stay there lives."""

    def test_it_opens_and_closes_with_the_stay_in_the_admin(self):
        self.enter()
        for path in (DOCUMENT, "/api-docs", "/metrics", "/health/detailed"):
            self.assertEqual(self.client.get(path).status_code, 200, path)
        Session.objects.update(revoked_at=timezone.now())
        for path in (DOCUMENT, "/api-docs", "/metrics", "/health/detailed"):
            self.assertProblem(self.client.get(path), 401, "NO_TOKEN")


class DocumentationPage(ApiTestCase):
    """The page loads only our own files, and its one script carries the nonce of this answer."""

    def test_its_policy_and_its_script(self):
        response = self.client.get("/api-docs")
        self.assertEqual(response.status_code, 200)
        policy = response.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe-inline", policy)
        nonce = policy.split("'nonce-")[1].split("'")[0]
        self.assertEqual(response.content.decode().count(f'nonce="{nonce}"'), 2)
        self.assertNotIn("https://", response.content.decode())
        self.assertIn(
            "validatorUrl: null", response.content.decode()
        )  # by default Swagger UI asks validator.swagger.io

    def test_the_nonce_is_new_each_time(self):
        first, second = (self.client.get("/api-docs").headers["Content-Security-Policy"] for _ in range(2))
        self.assertNotEqual(first, second)
