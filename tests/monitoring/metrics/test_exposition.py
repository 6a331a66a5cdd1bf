"""/metrics says the same numbers in three forms, and nothing about any person."""

import json
from unittest import TestCase

import pytest
from django.test import override_settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitoring.media import preferred
from monitoring.metrics import metrics
from monitoring.metrics.exposition import counted
from tests.base import ApiTestCase
from tests.factories import asha
from tests.monitoring.metrics.counting import CountingMixin

pytestmark = pytest.mark.embedded

TOKEN = "operator-" + "t" * 40
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@override_settings(OPERATOR_TOKEN=TOKEN)
class Forms(CountingMixin, ApiTestCase):
    """Prometheus text unless something else is asked for."""

    def ask(self, accept=""):
        response = self.get("/metrics", token=TOKEN, headers={"Accept": accept} if accept else {})
        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        return response

    def test_text(self):
        self.log_in(asha())
        for accept in ("", "*/*", "text/plain", "text/html,application/xhtml+xml,*/*;q=0.8"):
            response = self.ask(accept)
            self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            families = {family.name: family for family in parse_text(response.content.decode())}
            self.assertIn(
                ({"flow": "login", "outcome": "success"}, 1), [one[1:3] for one in families["kf_auth_attempts"].samples]
            )

    def test_openmetrics(self):
        self.log_in(asha())
        for accept in ("application/openmetrics-text", PROMETHEUS):
            response = self.ask(accept)
            self.assertIn("application/openmetrics-text; version=1.0.0", response.headers["Content-Type"])
            families = {family.name: family for family in parse_openmetrics(response.content.decode())}
            self.assertIn(
                ({"flow": "login", "outcome": "success"}, 1), [one[1:3] for one in families["kf_auth_attempts"].samples]
            )

    def test_json_groups_the_same_numbers(self):
        self.log_in(asha())
        response = self.ask("application/json")
        self.assertEqual(response.headers["Content-Type"], "application/json")
        body = json.loads(response.content, parse_constant=self.fail)
        self.assertEqual(set(body), {"process", "system", "application"})
        attempts = body["application"]["kf_auth_attempts_total"]
        self.assertIn({"labels": {"flow": "login", "outcome": "success"}, "value": 1}, attempts)
        self.assertGreater(body["process"]["process_resident_memory_bytes"][0]["value"], 1_000_000)
        self.assertGreaterEqual(body["system"]["kf_host_cpus"][0]["value"], 1)

    def test_another_form_is_406(self):
        response = self.get("/metrics", token=TOKEN, headers={"Accept": "image/png"})
        self.assertProblem(response, 406, "NOT_ACCEPTABLE")

    def test_each_family_stands_once(self):
        text = self.ask().content.decode()
        types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
        self.assertEqual(len(types), len(set(types)))

    def test_the_components_and_the_version(self):
        text = self.ask().content.decode()
        for name in ("kf_db_up", "kf_cache_up", "kf_build_info", "process_cpu_seconds_total", "process_open_fds"):
            self.assertRegex(text, rf"(?m)^{name}[ {{]")

    def test_no_person_no_address_and_no_id(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        self.me(token)
        self.post("/api/auth/login", {"email": person.email, "password": "wrong"}, REMOTE_ADDR="203.0.113.77")
        for accept in ("", "application/json"):
            text = self.ask(accept).content.decode()
            for value in (
                person.email,
                person.name,
                str(person.pk),
                str(person.subject_id),
                "203.0.113.77",
                token[:20],
            ):
                self.assertNotIn(value, text)


class Names(CountingMixin, TestCase):
    """The conventions of Prometheus, for those who write rules on them."""

    def test_prefix_unit_and_help(self):
        for family in metrics().registry.collect():
            self.assertTrue(family.name.startswith("kf_"), family.name)
            self.assertTrue(family.documentation, family.name)
            if family.type == "histogram":
                self.assertRegex(family.name, r"_(seconds|bytes)$")

    def test_the_number_of_requests_is_the_histograms_count(self):
        for seconds in (0.001, 0.2, 99.0):
            metrics().request_answered(method="GET", route="/x", status=200, seconds=seconds)
        labels = {"method": "GET", "route": "/x", "status_class": "2xx"}
        self.assertEqual(self.value("kf_http_requests_total", **labels), 3)
        self.assertEqual(self.value("kf_http_request_duration_seconds_count", **labels), 3)
        self.assertEqual(self.value("kf_http_request_duration_seconds_bucket", **labels, le="10.0"), 2)

    def test_labels_are_from_closed_lists(self):
        names = {name for family in counted() for sample in family.samples for name in sample.labels}
        self.assertTrue(
            names
            <= {"method", "route", "status_class", "code", "flow", "outcome", "kind", "audit_class", "le"}
            | {"scope", "decision", "cache", "result", "alias", "operation", "state", "entry", "channel", "event"}
        )


class Preferred(TestCase):
    """The most specific range of an Accept header decides, and our order breaks ties (RFC 9110 §12.5.1)."""

    OFFERS = ("text/plain", "application/json")

    def test_ranges_and_weights(self):
        for accept, expected in (
            ("", "text/plain"),
            ("*/*", "text/plain"),
            ("application/*", "application/json"),
            ("text/plain;q=0.5, application/json", "application/json"),
            ("text/plain;q=0, */*", "application/json"),
            ("text/*;q=0.3, text/plain;q=0.9, application/json;q=0.5", "text/plain"),
            ("APPLICATION/JSON ; Q=1", "application/json"),
            ("text/plain;version=0.0.4", "text/plain"),
            ("text/plain;q=nonsense, application/json;q=0.1", "application/json"),
            (",,;q=1,", None),
            ("text/html", None),
            ("*/*;q=0", None),
        ):
            with self.subTest(accept):
                self.assertEqual(preferred(accept, self.OFFERS), expected)

    def test_a_long_header_is_bounded(self):
        self.assertIsNone(preferred("x/y," * 10_000 + "text/plain", self.OFFERS))
