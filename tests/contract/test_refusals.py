"""Every refusal, from whatever layer, is the one problem document (RFC 9457), and writes nothing."""

import json
from unittest.mock import patch

from django.db import InterfaceError, OperationalError
from django.test import override_settings

from accounts.identity.models import User
from security.errors import CODES
from tests.base import ApiTestCase
from tests.factories import asha

LOGIN = "/api/auth/login"
REGISTER = "/api/auth/register"
MEMBERS = {"type", "title", "status", "detail", "instance", "error", "message", "code", "requestId"}


class ProblemDocuments(ApiTestCase):
    """The document has RFC 9457's members and those that clients read."""

    def test_its_members(self):
        document = self.assertProblem(self.get("/api/nothing"), 404, "NOT_FOUND")
        self.assertEqual(set(document), MEMBERS)
        self.assertEqual(document["error"], document["title"])
        self.assertEqual(document["message"], document["detail"])
        self.assertEqual(document["instance"], "/api/nothing")

    def test_details_stand_only_where_fields_are_wrong(self):
        document = self.assertProblem(self.post(LOGIN, {}), 400, "VALIDATION_FAILED")
        self.assertEqual(set(document), MEMBERS | {"details"})
        self.assertEqual(set(document["details"][0]), {"field", "message", "code"})

    def test_the_path_comes_back_encoded_and_cut(self):
        document = self.get("/api/" + "%3Cscript%3E" + "a" * 2000).json()
        self.assertNotIn("<", document["instance"])
        self.assertLessEqual(len(document["instance"]), 512)

    def test_a_trailing_slash_is_404_and_no_redirect(self):
        self.assertProblem(self.get("/api/auth/me/"), 404, "NOT_FOUND")

    def test_a_wrong_method_is_405_and_tells_the_right_ones(self):
        response = self.get(LOGIN)
        self.assertProblem(response, 405, "METHOD_NOT_ALLOWED")
        self.assertIn("POST", response.headers["Allow"])

    def test_trace_and_connect_are_405(self):
        for method in ("TRACE", "CONNECT", "PROPFIND"):
            self.assertProblem(self.client.generic(method, "/api/auth/me"), 405, "METHOD_NOT_ALLOWED")

    def test_another_media_type_is_406(self):
        self.assertProblem(self.get("/api/auth/me", headers={"Accept": "text/html"}), 406, "NOT_ACCEPTABLE")

    def test_a_foreign_host_is_400(self):
        self.assertProblem(self.get("/api/auth/me", headers={"Host": "evil.example"}), 400, "MALFORMED_REQUEST")

    def test_catalogue_and_status_agree(self):
        for name, code in CODES.items():
            self.assertEqual(name, code.name)
            self.assertTrue(400 <= code.status < 600)
            self.assertTrue(code.detail.endswith("."))


class RequestId(ApiTestCase):
    """Each answer names the request; a sane id of the client's is kept."""

    def test_a_sane_one_is_kept(self):
        response = self.get("/api/auth/me", headers={"X-Request-ID": "web-7f3a.21_b"})
        self.assertEqual(response.headers["X-Request-ID"], "web-7f3a.21_b")

    def test_anything_else_is_replaced(self):
        for bad in (
            "short",
            "x" * 65,
            "a b c d e f g",
            "id\twith\ttabs",
            "<script>alert(1)</script>",
            "-leading-dash",
        ):
            answer = self.get("/api/auth/me", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
            self.assertNotEqual(answer, bad)
            self.assertRegex(answer, r"^[0-9a-f]{32}$")


class BadBodies(ApiTestCase):
    """A body that is not plain JSON in UTF-8 of bounded size is refused before anybody looks inside."""

    def refused(self, body, status, code, *, field=None, **extra):
        document = self.assertProblem(self.post(REGISTER, body, **extra), status, code, field=field)
        self.assertFalse(User.objects.exists())
        return document

    def test_malformed_json(self):
        for body in (
            b"{",
            b"nonsense",
            b"[]",
            b'"text"',
            b"1",
            b"null",
            b"{'a': 1}",
            b'{"a": 1,}',
            b"\xef\xbb\xbf{}",
        ):
            with self.subTest(body):
                self.refused(body, 400, "MALFORMED_JSON")

    def test_not_a_number_and_infinity(self):
        for body in (b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}'):
            self.refused(body, 400, "MALFORMED_JSON")

    def test_bad_utf8_and_lone_surrogates(self):
        for body in (b'{"a": "\xff"}', b'{"a": "\\ud800"}', b'{"\\udfff": 1}'):
            self.refused(body, 400, "MALFORMED_JSON")

    def test_numbers_too_long_to_read(self):
        self.refused(b'{"a": ' + b"9" * 10_000 + b"}", 400, "MALFORMED_JSON")

    def test_duplicate_keys_at_any_depth(self):
        self.refused(b'{"password": "a", "password": "b"}', 400, "DUPLICATE_KEY")
        self.refused(b'{"a": [{"b": 1, "b": 2}]}', 400, "DUPLICATE_KEY")

    def test_too_deep_or_too_many_members(self):
        self.refused(b'{"a":' * 33 + b"1" + b"}" * 33, 400, "MALFORMED_JSON")
        self.refused(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "MALFORMED_JSON")
        self.refused(json.dumps({f"k{n}": n for n in range(1001)}).encode(), 400, "MALFORMED_JSON")

    def test_names_with_operators_are_named_by_path(self):
        self.refused({"adminEmail": {"$gt": ""}}, 400, "VALIDATION_FAILED", field="adminEmail.$gt")
        self.refused({"a.b": 1}, 400, "VALIDATION_FAILED", field="a.b")

    def test_nul_in_a_value_is_a_field_error(self):
        for member in ("companyName", "password"):
            self.refused({member: "a\x00b"}, 400, "VALIDATION_FAILED", field=member)

    def test_a_huge_string_is_a_field_error(self):
        for member in (
            "companyName",
            "companyEmail",
            "adminName",
            "adminEmail",
            "password",
            "gstin",
            "pan",
            "phone",
        ):
            self.refused({member: "x" * 100_000}, 400, "VALIDATION_FAILED", field=member)

    def test_wrong_types_are_field_errors(self):
        for wrong in (1, 1.5, True, ["x"], {"x": 1}):
            document = self.refused(dict.fromkeys(("companyName", "companyEmail", "password", "gstin"), wrong), 400,
                                    "VALIDATION_FAILED")  # fmt: skip
            named = {entry["field"] for entry in document["details"]}
            self.assertTrue({"companyName", "companyEmail", "password", "gstin"} <= named, wrong)

    def test_a_body_over_the_limit_is_413_by_its_declared_length(self):
        self.refused(b'{"a": "' + b"x" * 1_000_000 + b'"}', 413, "PAYLOAD_TOO_LARGE")

    def test_other_content_types_and_encodings_are_415(self):
        for content_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded",
                             "multipart/form-data",
                             "application/json; charset=latin-1", "application/jsonp", ""):  # fmt: skip
            with self.subTest(content_type):
                self.refused(b"{}", 415, "UNSUPPORTED_MEDIA_TYPE", content_type=content_type)
        self.refused(b"{}", 415, "UNSUPPORTED_MEDIA_TYPE", headers={"Content-Encoding": "gzip"})

    def test_json_with_a_charset_of_utf8_is_taken(self):
        for content_type in (
            "application/json",
            "application/json; charset=utf-8",
            'Application/JSON;charset="UTF-8"',
        ):
            response = self.post(REGISTER, {}, content_type=content_type)
            self.assertProblem(response, 400, "VALIDATION_FAILED")


class BadQueries(ApiTestCase):
    """A query string is bounded, and each parameter stands once."""

    def test_a_repeated_parameter_is_400(self):
        token = self.log_in(asha())["accessToken"]
        self.assertProblem(self.get("/api/auth/sessions?cursor=a&cursor=b", token=token), 400, "REPEATED_PARAMETER")

    def test_a_long_query_is_414(self):
        self.assertProblem(self.get("/api/auth/me?q=" + "x" * 9000), 414, "URI_TOO_LONG")

    def test_a_thousand_parameters_are_400(self):
        query = "&".join(f"p{n}=1" for n in range(1000))
        self.assertProblem(self.get(f"/api/auth/me?{query}"), 400, "MALFORMED_REQUEST")


class FailingParts(ApiTestCase):
    """A part that is away is 503 with Retry-After; a bug is 500 and says nothing of itself."""

    def test_a_database_that_is_away_is_503_even_with_a_good_signature(self):
        token = self.log_in(asha())["accessToken"]
        for error in (OperationalError("connection refused by db.internal:5432"), InterfaceError("closed")):
            with patch("accounts.sessions.authentication.read_session", side_effect=error):
                response = self.me(token)
            self.assertProblem(response, 503, "SERVICE_UNAVAILABLE")
            self.assertEqual(response.headers["Retry-After"], "1")
            self.assertNotIn(b"db.internal", response.content)

    def test_a_bug_is_500_without_its_text(self):
        with patch("accounts.login.views.log_in", side_effect=RuntimeError("secret detail")):
            response = self.post(LOGIN, {"email": "a@b.in", "password": "x"})
        self.assertProblem(response, 500, "INTERNAL_ERROR")
        self.assertNotIn(b"secret detail", response.content)

    def test_a_bug_in_a_middleware_is_the_same_document(self):
        with patch("security.middleware.bodies.check_query", side_effect=RuntimeError("secret detail")):
            response = self.get("/api/auth/me?x=1")
        self.assertProblem(response, 500, "INTERNAL_ERROR")

    def test_when_the_audit_event_cannot_be_written_the_act_does_not_happen(self):
        person = asha()
        with patch("security.audit.models.AuditEvent.save", side_effect=OperationalError("disk full")):
            response = self.post(LOGIN, {"email": person.email, "password": "Monsoon-Ledger-47"})
        self.assertProblem(response, 503, "SERVICE_UNAVAILABLE")
        self.assertFalse(person.sessions.exists())


class Cors(ApiTestCase):
    """A listed origin may read every answer, refusals too; any other gets nothing."""

    ORIGIN = "https://app.example.in"

    def test_refusals_of_every_layer_carry_the_headers(self):
        for response in (
            self.get("/api/auth/me", headers={"Origin": self.ORIGIN}),
            self.get("/api/nothing", headers={"Origin": self.ORIGIN}),
            self.post(LOGIN, b"x" * 1_000_001, headers={"Origin": self.ORIGIN}),
            self.post(LOGIN, b"<a/>", content_type="text/xml", headers={"Origin": self.ORIGIN}),
        ):
            self.assertGreaterEqual(response.status_code, 400)
            self.assertEqual(response.headers["Access-Control-Allow-Origin"], self.ORIGIN)
            self.assertIn("X-Request-ID", response.headers["Access-Control-Expose-Headers"])
            self.assertIn("origin", response.headers["Vary"].lower())

    def test_a_foreign_origin_gets_none(self):
        response = self.get("/api/auth/me", headers={"Origin": "https://evil.example"})
        self.assertNotIn("Access-Control-Allow-Origin", response.headers)

    def test_a_preflight_is_answered_with_the_allowed_headers(self):
        response = self.client.options(
            LOGIN, headers={"Origin": self.ORIGIN, "Access-Control-Request-Method": "POST",
                            "Access-Control-Request-Headers": "content-type,authorization"})  # fmt: skip
        self.assertEqual(response.status_code, 200)
        allowed = response.headers["Access-Control-Allow-Headers"]
        for name in (
            "content-type",
            "authorization",
            "x-api-key",
            "idempotency-key",
            "x-request-id",
            "traceparent",
        ):
            self.assertIn(name, allowed)


class BaseHeaders(ApiTestCase):
    """The fixed headers stand on answers of every kind; HSTS over HTTPS only (RFC 6797 §7.2)."""

    def test_on_success_and_refusal(self):
        token = self.log_in(asha())["accessToken"]
        for response in (self.me(token), self.get("/api/nothing"), self.post(LOGIN, b"{")):
            self.assertEqual(response.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(response.headers["Cache-Control"], "no-store")
            self.assertIn("default-src 'none'", response.headers["Content-Security-Policy"])

    @override_settings(SECURE_HSTS_SECONDS=63_072_000)
    def test_hsts_only_over_https(self):
        self.assertNotIn("Strict-Transport-Security", self.client.get("/api/nothing").headers)
        secure = self.client.get("/api/nothing", secure=True)
        self.assertEqual(secure.headers["Strict-Transport-Security"], "max-age=63072000; includeSubDomains")
