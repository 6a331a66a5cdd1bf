"""`POST /csp-report`: open to every browser, answered with nothing, and no way to fill a disk."""

import json
from unittest.mock import patch

from django.test import override_settings

from security.audit.models import AuditEvent
from security.csp_reports import services
from security.csp_reports.reports import LEGACY, REPORTS
from tests.base import ApiTestCase

PATH = "/csp-report"
CANARY = "asha-canary"
REPORT = {
    "csp-report": {
        "document-uri": f"https://testserver/admin/login/?next={CANARY}",
        "effective-directive": "img-src",
        "blocked-uri": f"https://evil.example/{CANARY}.png?{CANARY}",
        "script-sample": CANARY,
        "referrer": f"https://testserver/{CANARY}",
    }
}


class Reports(ApiTestCase):
    """Both forms are taken without a sign-in, up to 8 kB."""

    def setUp(self):
        super().setUp()
        services.windows.forget()

    def report(self, body, content_type=LEGACY, **extra):
        return self.post(PATH, body, content_type=content_type, **extra)

    def test_both_forms_are_answered_with_nothing(self):
        entries = [{"type": "csp-violation", "body": {"effectiveDirective": "img-src"}}]
        for body, content_type in (
            (REPORT, LEGACY),
            (REPORT, f"{LEGACY}; charset=utf-8"),
            (entries, REPORTS),
            ([], REPORTS),
        ):
            with self.subTest(content_type):
                response = self.report(body, content_type)
                self.assertEqual((response.status_code, response.content), (204, b""))

    def test_the_line_holds_no_path_query_or_sample(self):
        with self.assertLogs("security.csp_reports", "WARNING") as logged:
            self.report(REPORT)
        (line,) = logged.records
        told = {name: getattr(line, name) for name in ("directive", "blocked", "page")}
        self.assertEqual(told, {"directive": "img-src", "blocked": "https://evil.example", "page": "/admin/login/"})
        self.assertNotIn(CANARY, json.dumps(vars(line), default=str))

    def test_nothing_is_stored(self):
        with self.assertNumQueries(0):
            self.report(REPORT)
        self.assertFalse(AuditEvent.objects.exists())

    def test_over_eight_kilobytes_is_413_before_it_is_read(self):
        with patch("security.csp_reports.views.read_violations") as read:
            self.assertProblem(self.report(b" " * 8193), 413, "PAYLOAD_TOO_LARGE")
            self.assertFalse(read.called)
        self.assertEqual(self.report(json.dumps(REPORT).encode().ljust(8192)).status_code, 204)

    def test_other_types_and_packed_bodies_are_415(self):
        for content_type in ("application/json", "text/plain", "application/csp-reports", ""):
            self.assertProblem(self.report(REPORT, content_type), 415, "UNSUPPORTED_MEDIA_TYPE")
        packed = self.report(REPORT, headers={"Content-Encoding": "gzip"})
        self.assertProblem(packed, 415, "UNSUPPORTED_MEDIA_TYPE")

    def test_what_is_no_report_is_400(self):
        for body in (b" ", b"{", b"[]"):
            self.assertProblem(self.report(body), 400, "MALFORMED_JSON")

    def test_it_takes_nothing_but_post(self):
        self.assertProblem(self.get(PATH), 405, "METHOD_NOT_ALLOWED")

    def test_a_stale_sign_in_or_a_cookie_does_not_matter(self):
        self.client.cookies["sessionid"] = "planted"
        response = self.report(REPORT, token="stale", headers={"Sec-Fetch-Site": "cross-site"})
        self.assertEqual(response.status_code, 204)
        self.assertFalse(response.cookies)

    @override_settings(ALLOWED_HOSTS=["testserver"])
    def test_a_page_of_another_site_is_not_named(self):
        report = {"csp-report": {**REPORT["csp-report"], "document-uri": "https://evil.example/admin/login/"}}
        with self.assertLogs("security.csp_reports", "WARNING") as logged:
            self.report(report)
        self.assertEqual(logged.records[0].page, "other")
