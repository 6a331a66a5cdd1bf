"""What everybody may read: kept by its ETag, compressed where it is large; and nothing else is compressed."""

import gzip
from time import thread_time
from unittest.mock import patch

import pytest
from django.test import override_settings

import koshflow.openapi.views as openapi
from tests.accounts.admin.door import INDEX, AdminTestCase
from tests.base import ApiTestCase
from tests.contract.answers import every_path
from tests.factories import asha

pytestmark = pytest.mark.embedded

LARGE = ("/api-docs/openapi.json", "/errors", "/security-policy")
SMALL = ("/.well-known/jwks.json", "/.well-known/security.txt")


class Kept(ApiTestCase):
    """Whoever has the document that is served now gets 304 and no body; who has another gets it whole."""

    def ask(self, path, **headers):
        return self.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def test_each_has_an_etag_and_who_names_it_gets_no_body(self):
        for path in (*LARGE, *SMALL):
            first = self.ask(path)
            etag = first.headers["ETag"]
            for known in (etag, etag.removeprefix("W/"), f'"another", {etag}', "*"):
                with self.subTest(path, known=known):
                    again = self.ask(path, If_None_Match=known)
                    self.assertEqual((again.status_code, again.content), (304, b""))
                    for name in ("ETag", "Cache-Control", "Vary", "Content-Security-Policy"):
                        self.assertEqual(again.headers[name], first.headers[name])

    def test_who_has_another_gets_it(self):
        for known in ('"another"', 'W/"another"', "another", "", '"', "W/" * 500):
            again = self.ask(SMALL[0], If_None_Match=known)
            self.assertEqual((again.status_code, again.content), (200, self.get(SMALL[0]).content), known)

    def test_the_etag_follows_the_document(self):
        tags = []
        for url in ("https://api.example.in", "https://api.example.org"):
            with override_settings(PUBLIC_URL=url):
                tags.append(self.get("/.well-known/security.txt").headers["ETag"])
        self.assertNotEqual(*tags)

    def test_the_page_of_errors_and_its_text_are_two(self):
        page = self.ask("/errors", Accept="text/html")
        self.assertEqual(self.ask("/errors", If_None_Match=page.headers["ETag"]).status_code, 200)
        again = self.ask("/errors", Accept="text/html", If_None_Match=page.headers["ETag"])
        self.assertEqual(again.status_code, 304)
        self.assertEqual(again.headers["Content-Security-Policy"], page.headers["Content-Security-Policy"])

    def test_head_says_the_same(self):
        head = self.client.head(SMALL[0])
        self.assertEqual((head.headers["ETag"], head.content), (self.get(SMALL[0]).headers["ETag"], b""))

    @override_settings(API_DOCS_PUBLIC=False)
    def test_who_may_not_read_it_learns_nothing_by_its_etag(self):
        self.assertProblem(self.ask(LARGE[0], If_None_Match="*"), 401, "NO_TOKEN")


class Compressed(ApiTestCase):
    """Large documents are compressed for who takes gzip; small ones never, nor anything that may hold a secret."""

    def ask(self, path, encodings, **more):
        return self.get(path, headers={"Accept-Encoding": encodings}, **more)

    def test_large_ones(self):
        for path in LARGE:
            plain, packed = self.get(path), self.ask(path, "gzip, deflate, br")
            self.assertEqual(packed.headers["Content-Encoding"], "gzip", path)
            self.assertEqual(gzip.decompress(packed.content), plain.content)
            self.assertEqual(packed.headers["Content-Length"], str(len(packed.content)))
            self.assertLess(len(packed.content), len(plain.content) / 1.5)
            self.assertEqual(packed.headers["ETag"], plain.headers["ETag"])
            for answer in (plain, packed):
                self.assertIn("Accept-Encoding", answer.headers["Vary"])
            self.assertNotIn("Content-Encoding", plain.headers)

    def test_the_openapi_document_is_a_tenth(self):
        self.assertLess(len(self.ask(LARGE[0], "gzip").content) * 10, len(self.get(LARGE[0]).content))

    def test_small_ones_are_not(self):
        for path in SMALL:
            self.assertNotIn("Content-Encoding", self.ask(path, "gzip").headers)

    def test_only_for_who_takes_it(self):
        takes = (
            "gzip",
            "x-gzip",
            "GZIP",
            "br, gzip",
            "br;q=1.0, gzip;q=0.8",
            "gzip;q=1",
            "gzip ; q=0.5",
            "gzip;Q=0.001",
            "gzip;q=1.000",
        )
        refuses = (
            "", "br", "gzip;q=0", "gzip;q=0.0", "gzipped", "xgzip", "*", "deflate;gzip", "identity",
            "gzip;q=.5", "gzip;q=0.0001", "gzip;q=1.5", "gzip;q=1.0000", "gzip;q=2", "gzip;q=0.\u0663", "gzip;q=",
            "gzip;", "gzip;q=1;q=1", "gzip" + "," * 500,
        )  # fmt: skip
        for encodings in takes + refuses:
            is_packed = "Content-Encoding" in self.ask("/errors", encodings).headers
            self.assertEqual(is_packed, encodings in takes, encodings)

    def test_a_weight_without_end_costs_no_time(self):
        for encodings in ("gzip;q=0." + "1" * 8100 + "x", "gzip;q=0.1x," * 700, "gzip;" * 1600):
            began = thread_time()
            self.assertNotIn("Content-Encoding", self.ask("/errors", encodings).headers)
            self.assertLess(thread_time() - began, 0.3)

    def test_nothing_else_whoever_asks(self):
        token = self.log_in(asha())["accessToken"]
        for path in {*every_path(), "/api/nothing"} - {*LARGE}:
            self.assertNotIn("Content-Encoding", self.ask(path, "gzip", token=token).headers, path)


class PagesOfStaff(AdminTestCase):
    """Pages hold a CSRF token beside what was searched for."""

    def test_they_are_not_compressed(self):
        self.enter()
        for path in (INDEX, "/admin/accounts/user/?q=csrfmiddlewaretoken"):
            response = self.client.get(path, headers={"Accept-Encoding": "gzip"})
            self.assertEqual(response.status_code, 200)
            self.assertNotIn("Content-Encoding", response.headers)


class OneWriting(ApiTestCase):
    """A process writes the OpenAPI document once."""

    def test_it_is_written_once(self):
        openapi._document.cache_clear()
        with patch.object(openapi, "SchemaGenerator", wraps=openapi.SchemaGenerator) as writer:
            answers = {self.get(LARGE[0]).content for _ in range(3)}
        self.assertEqual((len(answers), writer.call_count), (1, 1))
