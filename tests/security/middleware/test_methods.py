"""Methods: what a path does not take is 405, with our document and the ones that it does take."""

import pytest

from tests.base import ApiTestCase

pytestmark = pytest.mark.embedded

STYLE = "/static/koshflow/home.css"
READ, READ_AND_SEND = "GET, HEAD", "GET, HEAD, POST"
WRITING = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class WrongMethods(ApiTestCase):
    """Whoever refuses a method, ourselves or a library, the answer is the one document with `Allow`."""

    def refused(self, method: str, path: str, allowed: str, **extra) -> None:
        with self.subTest(f"{method} {path}"):
            response = self.client.generic(method, path, **extra)
            self.assertProblem(response, 405, "METHOD_NOT_ALLOWED")
            self.assertEqual(response.headers["Allow"], allowed)

    def test_of_pages_that_are_only_read(self):
        for path in ("/", "/api-docs", "/api-docs/openapi.json", "/metrics", "/health/detailed"):
            for method in (*WRITING, "TRACE", "PROPFIND"):
                self.refused(method, path, READ)

    def test_of_pages_with_forms(self):
        for path in ("/admin", "/admin/", "/admin/login/", "/admin/login/code/", "/admin/accounts/user/", "/admin/x"):
            for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
                self.refused(method, path, READ_AND_SEND)

    def test_of_static_files(self):
        for method in WRITING:
            self.refused(method, STYLE, READ)

    def test_of_the_keys(self):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            self.refused(method, "/.well-known/jwks.json", "GET, HEAD, OPTIONS")

    def test_each_is_counted_by_its_code(self):
        with self.assertLogs("koshflow.access") as log:
            self.client.put(STYLE)
        self.assertEqual(log.records[0].code, "METHOD_NOT_ALLOWED")

    def test_it_stands_before_the_csrf_check_and_any_body(self):
        self.client.handler.enforce_csrf_checks = True
        self.refused("PUT", "/admin/", READ_AND_SEND)
        self.refused("POST", "/", READ, data=b"x" * 10, content_type="text/plain")

    def test_a_preflight_is_no_wrong_method(self):
        headers = {"Origin": "https://app.example.in", "Access-Control-Request-Method": "GET"}
        self.assertEqual(self.client.options("/", headers=headers).status_code, 200)


class RightMethods(ApiTestCase):
    """Reading goes on: HEAD is answered as GET, without the body."""

    def test_get_and_head(self):
        for path, status in (
            ("/", 200), ("/api-docs", 200), ("/api-docs/openapi.json", 200),
            ("/admin", 302), ("/admin/", 302), ("/admin/login/", 200), ("/health/live", 200),
        ):  # fmt: skip
            with self.subTest(path):
                whole, head = self.client.get(path), self.client.head(path)
                self.assertEqual((whole.status_code, head.status_code), (status, status))
                self.assertEqual(head.content, b"")

    def test_a_static_file_is_sent_whole_or_by_its_headers(self):
        whole, head = self.client.get(STYLE), self.client.head(STYLE)
        self.assertEqual((whole.status_code, head.status_code), (200, 200))
        self.assertEqual(len(b"".join(whole.streaming_content)), int(head.headers["Content-Length"]))
        self.assertEqual(b"".join(head.streaming_content), b"")
        whole.close()

    def test_a_password_may_be_sent(self):
        self.assertEqual(self.client.post("/admin/login/", {"email": "a@b.in"}).status_code, 200)
