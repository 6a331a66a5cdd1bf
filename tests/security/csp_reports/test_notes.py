"""What is told of violations: one line a client, rule and origin and minute, and a bounded number in all."""

from unittest import TestCase, mock
from uuid import uuid4

from django.test import SimpleTestCase

from security.audit.floods import WINDOW_SECONDS, Allowance, Windows
from security.context import Client, RequestContext, bind
from security.csp_reports import services, violation_reported
from security.csp_reports.reports import Violation
from security.csp_reports.services import MOST_LINES, note_violations, page_template

ASHA, CHITRA = "203.0.113.7", "198.51.100.9"
SCRIPT = Violation("script-src", "https://evil.example", "/admin/")
STYLE = Violation("style-src", "inline", "/admin/")


class Lines(TestCase):
    """A monotonic clock that is moved by hand."""

    def setUp(self):
        self.now = 1000.0
        clock = mock.patch("time.monotonic", side_effect=lambda: self.now)
        fresh = mock.patch.multiple(services, windows=Windows(), allowance=Allowance(MOST_LINES))
        for patch in (clock, fresh):
            patch.start()
            self.addCleanup(patch.stop)

    def told(self, *violations, client=ASHA):
        with bind(RequestContext("r", Client(client, ""))), mock.patch.object(services.logger, "warning") as log:
            note_violations(violations)
        return [call.kwargs["extra"] for call in log.call_args_list]

    def test_a_line_says_which_rule_stopped_what_where(self):
        self.assertEqual(
            self.told(SCRIPT),
            [
                {
                    "directive": "script-src",
                    "blocked": "https://evil.example",
                    "page": "/admin/",
                    "repeats": 0,
                    "held_back": 0,
                }
            ],
        )

    def test_the_same_again_within_the_minute_is_counted_into_the_next_line(self):
        self.assertEqual(len(self.told(*[SCRIPT] * 5)), 1)
        self.now += WINDOW_SECONDS
        self.assertEqual([line["repeats"] for line in self.told(SCRIPT, SCRIPT)], [4])

    def test_another_rule_origin_or_client_has_a_line_of_its_own(self):
        self.assertEqual(len(self.told(SCRIPT, STYLE, Violation("script-src", "https://b.example", "/admin/"))), 3)
        self.assertEqual(len(self.told(SCRIPT, client=CHITRA)), 1)

    def test_all_clients_together_get_a_minutes_lines_and_no_more(self):
        flood = [Violation("img-src", f"https://a{number}.example", "/") for number in range(MOST_LINES * 3)]
        lines = [
            line for number, one in enumerate(flood) for line in self.told(one, client=f"198.51.100.{number % 200}")
        ]
        self.assertEqual(len(lines), MOST_LINES)
        self.now += WINDOW_SECONDS
        (line,) = self.told(SCRIPT)
        self.assertEqual(line["held_back"], MOST_LINES * 2)
        self.assertEqual(self.told(STYLE)[0]["held_back"], 0)

    def test_every_violation_is_announced_told_or_not(self):
        seen = []

        def count(directive, **_signal):
            seen.append(directive)

        violation_reported.connect(count)
        self.addCleanup(violation_reported.disconnect, count)
        self.told(*[SCRIPT] * 3, STYLE)
        self.assertEqual(seen, ["script-src"] * 3 + ["style-src"])


class Pages(SimpleTestCase):
    """A page is named by its route: never by its path, which holds ids, nor by another site's address."""

    def test_ours_by_their_routes(self):
        for address, route in {
            "https://testserver/": "/",
            "https://testserver/admin/login/?next=/admin/#x": "/admin/login/",
            f"http://LOCALHOST:8000/api/auth/sessions/{uuid4()}": "/api/auth/sessions/<uuid:pk>",
        }.items():
            self.assertEqual(page_template(address), route)

    def test_others_by_none(self):
        for address in (
            "",
            "https://evil.example/admin/",
            "https://testserver/no/such",
            "about:blank",
            "https://[x",
            "//",
        ):
            with self.subTest(address):
                self.assertEqual(page_template(address), "other")
