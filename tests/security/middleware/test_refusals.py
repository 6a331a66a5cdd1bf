"""What is not there and what cannot be read leaves one event a client, code and minute, with a count."""

from unittest import mock

from django.db import OperationalError

from security.audit import Allowance, AuditEvent
from security.middleware import refusals
from tests.base import ApiTestCase
from tests.factories import asha
from tests.security.audit.minutes import Minutes

LOGIN = "/api/auth/login"


class MarkOfARefusal(ApiTestCase):
    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.object(refusals, "allowance", Allowance(60)))

    def events(self):
        events = AuditEvent.objects.filter(audit_class="noise").order_by("pk")
        return [(event.type, event.outcome, event.parsed_leaf().data) for event in events]

    def told(self, type_, code, **counts):
        return (f"request.{type_}", "refused", {"code": code, "repeats": 0, "held_back": 0} | counts)

    def test_a_flood_of_what_is_not_there_is_an_event_a_minute_with_a_count(self):
        minutes = Minutes(self)
        for number in range(5):
            self.assertProblem(self.get(f"/api/nothing/{number}"), 404, "NOT_FOUND")
        self.assertProblem(self.get("/static/nothing.css"), 404, "NOT_FOUND")
        minutes.pass_one()
        self.get("/nothing")
        kind = ("not_found_refused", "NOT_FOUND")
        self.assertEqual(self.events(), [self.told(*kind), self.told(*kind, repeats=5)])

    def test_so_are_bodies_and_queries_that_cannot_be_read_each_by_its_code(self):
        for body in (b'{"a":', b"[", b'{"a": NaN}', b'{"email": "a", "email": "b"}'):
            self.assertEqual(self.post(LOGIN, body).status_code, 400)
        self.assertProblem(self.post(LOGIN, b"x" * 1_000_001), 413, "PAYLOAD_TOO_LARGE")
        self.assertProblem(self.get("/api/auth/me?a=1&a=2"), 400, "REPEATED_PARAMETER")
        codes = ("MALFORMED_JSON", "DUPLICATE_KEY", "PAYLOAD_TOO_LARGE", "REPEATED_PARAMETER")
        self.assertEqual(self.events(), [self.told("unreadable_refused", code) for code in codes])

    def test_what_a_form_lacks_and_what_is_marked_elsewhere_leaves_none(self):
        token = self.log_in(asha())["accessToken"]
        self.assertProblem(self.post(LOGIN, {}), 400, "VALIDATION_FAILED")
        self.assertProblem(self.get("/api/auth/me"), 401, "NO_TOKEN")
        self.assertEqual(self.me(token).status_code, 200)
        self.assertEqual(self.events(), [])

    def test_however_many_clients_ask(self):
        with mock.patch.object(refusals, "allowance", Allowance(2)):
            for number in range(5):
                self.get("/api/nothing", REMOTE_ADDR=f"192.0.2.{number}")
        self.assertEqual(len(self.events()), 2)

    def test_one_that_cannot_be_marked_is_503_until_it_can(self):
        with mock.patch("security.audit.services.record", side_effect=OperationalError("away")):
            for _ in range(2):
                self.assertProblem(self.get("/api/nothing"), 503, "SERVICE_UNAVAILABLE")
        self.assertProblem(self.get("/api/nothing"), 404, "NOT_FOUND")
        self.assertEqual(len(self.events()), 1)
