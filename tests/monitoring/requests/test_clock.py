"""Each request is counted once and leaves one line, which says what we wrote and nothing that the client sent."""

import json
import logging
import random
from unittest.mock import patch
from urllib.parse import quote
from uuid import UUID

from django.test import override_settings
from django.urls import get_resolver

from monitoring.logs import JsonFormatter
from monitoring.metrics.exposition import counted
from monitoring.metrics.registry import MAX_REQUEST_CHILDREN, METHODS, metrics
from tests.base import ApiTestCase
from tests.factories import asha
from tests.faults.form import sized
from tests.monitoring.metrics.counting import CountingMixin

TOKEN = "operator-" + "t" * 40
MARKER = "zx9marker"
METHODS_OF_HTTP = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")


def route_templates(resolver, prefix="/") -> set[str]:
    """Every route of the URLconf, as labels have it."""
    found = set()
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        found |= route_templates(pattern, route) if hasattr(pattern, "url_patterns") else {route}
    return found


class Clock(CountingMixin, ApiTestCase):
    """Reads the lines as the formatter writes them."""

    def lines(self, logs) -> list[dict]:
        formatter = JsonFormatter()
        return [json.loads(formatter.format(record)) for record in logs.records]

    def one_line(self, act) -> dict:
        with self.assertLogs("koshflow.access", "INFO") as logs:
            act()
        (line,) = self.lines(logs)
        return line

    def written(self, act, event="request") -> dict:
        """The one line of `event` as it is written, within its request."""
        lines = []

        class Keeping(logging.Handler):
            def emit(self, record):
                lines.append(json.loads(self.format(record)))

        handler = Keeping()
        handler.setFormatter(JsonFormatter())
        logging.getLogger().addHandler(handler)
        try:
            act()
        finally:
            logging.getLogger().removeHandler(handler)
        (line,) = [line for line in lines if line["event"] == event]
        return line


class AccessLine(Clock):
    """method, route, status, duration_ms and, for a refusal, its code."""

    def test_of_an_answer(self):
        token = self.log_in(asha())["accessToken"]
        line = self.one_line(lambda: self.me(token))
        self.assertEqual((line["event"], line["method"], line["status"]), ("request", "GET", 200))
        self.assertEqual(line["route"], "/api/auth/me")
        self.assertGreaterEqual(line["duration_ms"], 0)
        self.assertEqual(line["size_bytes"], len(self.me(token).content))
        self.assertNotIn("code", line)

    def test_it_names_trace_person_and_company_by_their_pseudonyms(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        names = {"user_id": str(person.subject_id), "company_id": str(person.company.subject_id)}
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        line = self.written(
            lambda: self.get("/api/auth/me", token=token, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        )
        self.assertEqual(line | names | {"trace_id": trace, "route": "/api/auth/me"}, line)
        line = self.written(lambda: self.log_in(person))  # nobody is let in by a token: the event names who acts
        self.assertEqual(line | names, line)
        line = self.written(lambda: self.get("/api/auth/me", headers={"traceparent": f"00-{trace}-0-01"}))
        self.assertFalse({"user_id", "company_id", "trace_id"} & set(line))

    def test_so_does_each_other_line_of_the_request(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        with patch("accounts.profile.views.profile_document", side_effect=RuntimeError("boom")):
            line = self.written(lambda: self.me(token), event="request_failed")
        self.assertEqual((line["user_id"], line["route"]), (str(person.subject_id), "/api/auth/me"))

    def test_of_a_refusal(self):
        line = self.one_line(lambda: self.get("/api/auth/me"))
        self.assertEqual((line["status"], line["code"]), (401, "NO_TOKEN"))

    def test_of_a_refusal_before_any_route(self):
        line = self.one_line(lambda: self.post("/api/auth/login", b"x" * 1_000_001))
        self.assertEqual((line["route"], line["status"], line["code"]), ("unmatched", 413, "PAYLOAD_TOO_LARGE"))

    def test_of_a_static_file_and_of_one_that_is_none(self):
        for path, status, route in (("home.css", 200, "static"), (f"{MARKER}.css", 404, "unmatched")):
            line = self.one_line(lambda path=path: b"".join(self.get(f"/static/koshflow/{path}")))
            self.assertEqual((line["route"], line["status"]), (route, status))

    def test_of_a_bug(self):
        with patch("accounts.login.views.log_in", side_effect=RuntimeError("boom")):
            line = self.one_line(lambda: self.post("/api/auth/login", {"email": "a@b.in", "password": "x"}))
        self.assertEqual((line["status"], line["code"]), (500, "INTERNAL_ERROR"))

    def test_it_holds_nothing_that_the_client_sent(self):
        def act():
            self.post(
                f"/api/{MARKER}/x?token={MARKER}&email={MARKER}@lotus.example.in",
                {"password": MARKER, "email": f"{MARKER}@lotus.example.in"},
                token=MARKER,
                headers={"User-Agent": MARKER, "Cookie": f"sessionid={MARKER}", "Referer": MARKER},
                REMOTE_ADDR="203.0.113.77",
            )

        text = json.dumps(self.one_line(act))
        self.assertNotIn(MARKER, text)
        self.assertNotIn("203.0.113.77", text)

    @override_settings(OPERATOR_TOKEN=TOKEN)
    def test_probes_and_metrics_leave_none(self):
        with self.assertNoLogs("koshflow.access", "INFO"):
            for path in ("/health", "/health/live", "/health/ready", "/health/detailed", "/metrics"):
                self.get(path, token=TOKEN)

    def test_what_only_looks_like_a_probe_does(self):
        self.assertEqual(self.one_line(lambda: self.get("/health/live/x"))["route"], "unmatched")

    def test_its_record_is_what_logging_makes(self):
        with self.assertLogs("koshflow.access", "INFO") as logs:
            self.get("/api/auth/me")
        (ours,) = logs.records
        told = {name: vars(ours)[name] for name in ("method", "route", "status", "duration_ms", "size_bytes", "code")}
        theirs = logging.getLogger("koshflow.access").makeRecord(
            "koshflow.access", logging.INFO, "", 0, "request", (), None, extra=told
        )
        differing = {name for name, value in vars(theirs).items() if vars(ours)[name] != value}
        self.assertLessEqual(differing, {"created", "msecs", "relativeCreated"})
        self.assertEqual(list(vars(ours))[: len(vars(theirs))], list(vars(theirs)))  # as the formatter relies upon
        self.assertAlmostEqual(ours.created, theirs.created, delta=5)
        self.assertAlmostEqual(ours.msecs, ours.created % 1 * 1000, delta=1)

    def test_a_higher_level_leaves_none(self):
        logger = logging.getLogger("koshflow.access")
        logger.setLevel(logging.WARNING)
        self.addCleanup(logger.setLevel, logging.NOTSET)
        with patch.object(logger, "handle") as handle:
            self.get("/api/nothing")
        handle.assert_not_called()


class Counted(Clock):
    """Each request and each refusal is counted once, under names of our own."""

    def requests(self, **labels):
        return self.value("kf_http_requests_total", **labels)

    def test_by_method_route_and_status(self):
        token = self.log_in(asha())["accessToken"]
        for _ in range(3):
            self.me(token)
        self.get("/api/auth/me")
        me = {"method": "GET", "route": "/api/auth/me"}
        self.assertEqual(self.requests(**me, status_class="2xx"), 3)
        self.assertEqual(self.requests(**me, status_class="4xx"), 1)
        self.assertEqual(self.value("kf_http_request_duration_seconds_count", **me, status_class="2xx"), 3)
        self.assertEqual(self.requests(method="POST", route="/api/auth/login", status_class="2xx"), 1)

    def test_refusals_by_code(self):
        for _ in range(2):
            self.get("/api/auth/me")
        self.get("/api/nothing")
        self.assertEqual(self.value("kf_refusals_total", code="NO_TOKEN"), 2)
        self.assertEqual(self.value("kf_refusals_total", code="NOT_FOUND"), 1)

    def test_nobody_is_in_flight_afterwards(self):
        self.get("/api/nothing")
        self.assertEqual(self.value("kf_http_requests_in_flight"), 0)

    def test_a_request_sees_itself_in_flight(self):
        seen = []
        with patch(
            "accounts.login.views.log_in", side_effect=lambda **_: seen.append(self.value("kf_http_requests_in_flight"))
        ):
            self.post("/api/auth/login", {"email": "a@b.in", "password": "x"})
        self.assertEqual(seen, [1])

    def test_probes_and_metrics_are_not_counted(self):
        for path in ("/health", "/health/live", "/metrics"):
            self.get(path)
        self.assertEqual(self.samples("kf_http_requests_total"), [])

    @override_settings(OPERATOR_TOKEN=TOKEN)
    def test_who_is_refused_there_leaves_a_line(self):
        with self.assertLogs("koshflow.access", "INFO") as logs:
            self.get("/metrics", token=TOKEN[:-1])
            self.get("/health/detailed", token=TOKEN)
        (line,) = (json.loads(JsonFormatter().format(record)) for record in logs.records)
        told = line["event"], line["route"], line["method"], line["status"], line["code"]
        self.assertEqual(told, ("request", "/metrics", "GET", 401, "TOKEN_INVALID"))
        self.assertEqual(self.value("kf_refusals_total", code="TOKEN_INVALID"), 1)

    def test_an_unknown_method_is_other(self):
        for method in ("PROPFIND", MARKER.upper(), "GETS"):
            self.client.generic(method, "/api/auth/me")
        self.assertEqual(self.requests(method="other", route="unmatched", status_class="4xx"), 3)

    def test_a_method_that_a_route_does_not_take_is_counted_under_none(self):
        for method in ("DELETE", "HEAD", "OPTIONS"):
            self.client.generic(method, "/api/auth/login")
        routes = {sample.labels["route"] for sample in self.samples("kf_http_requests_total")}
        self.assertEqual(routes, {"unmatched"})


class SeriesBudget(Clock):
    """Nothing a client sends makes a new series."""

    def test_strange_requests(self):
        """Bar 12: paths, methods and programs that nobody foresaw, and each method on each route that there is."""
        chance = random.Random(7)
        routes = sorted(route_templates(get_resolver()))
        for number in range(sized(1500, 10_000)):
            strange = "".join(chr(chance.randrange(1, 0x2FFF)) for _ in range(12))
            path = f"/{chance.choice(('', 'api/', 'api/auth/', 'admin/'))}{quote(strange)}"
            if number % 3 == 0:
                path = chance.choice(routes).replace("<uuid:object_id>", str(UUID(int=number)))
            method = chance.choice((*METHODS_OF_HTTP, "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ-", k=6))))
            agent = {"HTTP_USER_AGENT": f"{MARKER}-{number}", "HTTP_X_FORWARDED_FOR": f"203.0.113.{number % 256}"}
            self.client.generic(method, path, headers={"Referer": strange.encode().hex()}, **agent)
        samples = [sample for family in counted() for sample in family.samples]
        self.assertLessEqual(len(samples), 2000)
        self.assertEqual(self.value("kf_metrics_dropped_series_total"), 0)
        values = {name: {s.labels[name] for s in samples if name in s.labels} for name in ("route", "method")}
        self.assertTrue(values["route"] <= {"static", "unmatched", *routes}, values["route"])
        self.assertTrue(values["method"] <= {*METHODS, "other"}, values["method"])
        told = {value for sample in samples for value in sample.labels.values()}
        self.assertFalse([value for value in told if MARKER in value or "203.0.113" in value])

    def test_beyond_the_cap_requests_are_counted_under_other(self):
        mine = metrics()
        for number in range(MAX_REQUEST_CHILDREN + 5):
            mine.request_answered(method="GET", route=f"/r{number}", status=200, seconds=0.01)
        self.assertEqual(self.value("kf_http_requests_total", method="other", route="other", status_class="2xx"), 5)
        self.assertEqual(self.value("kf_metrics_dropped_series_total"), 5)
        self.assertEqual(len(self.samples("kf_http_request_duration_seconds_count")), MAX_REQUEST_CHILDREN + 1)
