"""What a log line is: one JSON object, whoever tries to make it two, and whoever tries to write a secret into it."""

import io
import json
import logging
import sys
from datetime import UTC, datetime
from decimal import Decimal
from unittest import TestCase
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.logs import JsonFormatter
from security import context
from tests.monitoring.logs.examples import PERSONAL, SECRETS

pytestmark = pytest.mark.embedded  # no store is asked

INJECTIONS = (
    'x\n{"level":"INFO","event":"forged"}',
    "x\r\nx",
    "x\x0bx\x0cx",
    "x\u2028x\u2029x\x85x",
    "\x1b[2J\x1b]0;title\x07",
    "\x00\x08\x7f",
    "\u202egnirts\u202c",
    '"}, {"a": "',
    "\ud800 lone surrogate",
    "\\u000a",
)


class LineTestCase(TestCase):
    """Logs through a logger of its own, as the product does, and reads what came out."""

    def setUp(self):
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(JsonFormatter())
        self.logger = logging.getLogger("koshflow.test")
        self.logger.propagate = False
        self.logger.setLevel(logging.DEBUG)
        self.logger.handlers.clear()
        self.logger.addHandler(handler)

    def written(self) -> str:
        return self.stream.getvalue()

    def line(self) -> dict:
        text = self.written()
        self.assertEqual(text.count("\n"), 1, text)
        return json.loads(text, parse_constant=self.fail)

    def fail_with(self, error, **extra):
        try:
            raise error
        except type(error):
            self.logger.exception("it_failed", extra=extra)


class Line(LineTestCase):
    """One record is one JSON object on one line, with the same members first."""

    def test_its_members(self):
        self.logger.info("rate_limited", extra={"policy": "login"})
        line = self.line()
        self.assertEqual(list(line), ["time", "level", "logger", "event", "policy"])
        self.assertEqual((line["level"], line["logger"]), ("INFO", "koshflow.test"))
        self.assertEqual((line["event"], line["policy"]), ("rate_limited", "login"))

    def test_time_is_utc_in_milliseconds(self):
        record = self.logger.makeRecord("a", logging.INFO, "f", 1, "x", (), None)
        record.created = datetime(2026, 11, 24, 6, 0, 0, 7_999, tzinfo=UTC).timestamp()
        self.assertEqual(json.loads(JsonFormatter().format(record))["time"], "2026-11-24T06:00:00.007Z")

    def test_it_names_the_request_and_its_trace(self):
        client = context.Client("203.0.113.7", "agent")
        with context.bind(context.RequestContext("req-12345678", client, "ab" * 16)):
            self.logger.info("x")
        line = self.line()
        self.assertEqual((line["request_id"], line["trace_id"]), ("req-12345678", "ab" * 16))
        self.assertNotIn("203.0.113.7", self.written())

    def test_what_another_formatter_left_on_the_record_is_not_shown(self):
        record = self.logger.makeRecord("a", logging.INFO, "f", 1, "x", (), None, extra={"policy": "login"})
        logging.Formatter("%(asctime)s %(message)s").format(record)
        line = json.loads(JsonFormatter().format(record))
        self.assertEqual(list(line), ["time", "level", "logger", "event", "policy"])

    def test_values_keep_their_kind(self):
        identity = UUID("018f0000-0000-7000-8000-000000000000")
        self.logger.info(
            "x", extra={"n": 3, "ok": True, "none": None, "ratio": 0.5, "id": identity, "sum": Decimal("1.10")}
        )
        line = self.line()
        self.assertEqual((line["n"], line["ok"], line["none"], line["ratio"]), (3, True, None, 0.5))
        self.assertEqual((line["id"], line["sum"]), (str(identity), "1.10"))

    def test_an_object_is_its_type_and_never_its_text(self):
        class Person:
            def __str__(self):
                return "asha@lotus.example.in"

        self.logger.info("x", extra={"who": Person(), "all": [Person()]})
        self.assertEqual((self.line()["who"], self.line()["all"]), ("<Person>", ["<Person>"]))

    def test_an_extra_cannot_take_the_place_of_a_member(self):
        self.logger.info("real", extra={"event": "forged", "level": "DEBUG", "time": "never"})
        line = self.line()
        self.assertEqual((line["event"], line["level"], line["field_event"]), ("real", "INFO", "forged"))

    def test_not_a_number_stays_json(self):
        self.logger.info("x", extra={"nan": float("nan"), "inf": [float("inf")]})
        self.assertEqual(self.line()["nan"], "nan")

    def test_wrong_arguments_still_give_the_line_and_nothing_on_standard_error(self):
        kept, sys.stderr = sys.stderr, io.StringIO()
        try:
            self.logger.info("%d of %s", "asha@lotus.example.in")  # noqa: PLE1206 - the mistake in question
            self.assertEqual(sys.stderr.getvalue(), "")
        finally:
            sys.stderr = kept
        self.assertEqual(self.line()["event"], "%d of %s")

    def test_a_text_is_bounded(self):
        self.logger.info("x", extra={"long": "a " * 100_000})
        self.assertLess(len(self.written()), 2500)


class Injection(LineTestCase):
    """No text, wherever it stands, can end the line, move the cursor or turn the writing around."""

    def assertOneCleanLine(self):
        text = self.written()
        self.assertTrue(text.removesuffix("\n").isascii())
        self.assertTrue(all(" " <= mark <= "~" for mark in text.removesuffix("\n")), text)
        self.line()

    def test_in_the_event_a_value_a_name_and_an_error(self):
        for text in INJECTIONS:
            with self.subTest(text=text.encode("unicode_escape")):
                self.stream.truncate(0)
                self.stream.seek(0)
                self.fail_with(ValueError(text), value=text, **{f"name{text}": 1}, inner={text: [text]})
                self.assertOneCleanLine()

    @given(
        st.text(),
        st.dictionaries(
            st.text(max_size=8),
            # With a hundred leaves each, drawing took all the time.
            st.recursive(st.text() | st.floats() | st.binary(), st.lists, max_leaves=8),
            max_size=8,
        ),
    )
    def test_whatever_is_logged(self, event, fields):
        self.setUp()
        self.logger.info(event, extra={"fields": fields})
        self.assertOneCleanLine()


class Secrecy(LineTestCase):
    """No secret and no personal value reaches a line: not by its name, not by its shape, not through an error."""

    def test_values_under_telling_names(self):
        for name in ("password", "newPassword", "refresh_token", "Authorization", "Set-Cookie", "clientSecret",
                     "twoFactorCode", "adminEmail", "phone", "pan", "gstin", "client_address", "X-API-Key",
                     "companyName", "qrCode", "query", "otpauth_url", "emails", "tokens",
                     "csrfmiddlewaretoken"):  # fmt: skip
            with self.subTest(name):
                self.setUp()
                self.logger.info(
                    "x", extra={"outer": {name: "Monsoon", "list": [{name: ["Monsoon"]}]}, name: "Monsoon"}
                )
                self.assertNotIn("Monsoon", self.written())

    def test_neighbours_of_those_names_are_shown(self):
        fields = {"company": 7, "span_ms": 1, "status_code": 404, "query_count": 3, "policy": "login", "panel": "a",
                  "path_template": "/a", "tokenless": "b", "coder": "c"}  # fmt: skip
        self.logger.info("x", extra=fields)
        line = self.line()
        self.assertEqual({name: line[name] for name in fields}, fields)

    def test_a_refusals_code_is_shown_and_any_other_code_is_not(self):
        self.logger.info("x", extra={"code": "INVALID_CREDENTIALS", "inner": {"code": "492817"}})
        self.assertEqual((self.line()["code"], self.line()["inner"]["code"]), ("INVALID_CREDENTIALS", "[redacted]"))

    def test_shapes_in_free_text(self):
        for value in (*SECRETS, *PERSONAL):
            with self.subTest(value):
                self.setUp()
                self.logger.warning("cannot handle %s now", value, extra={"note": f"saw {value}.", "list": [value]})
                self.assertNotIn(value, self.written())

    def test_shapes_in_an_error_and_its_causes(self):
        for value in (*SECRETS, *PERSONAL):
            with self.subTest(value):
                self.setUp()
                error = RuntimeError(f"no {value} here")
                error.__cause__ = KeyError(value)
                self.fail_with(error)
                self.assertNotIn(value, self.written())

    def test_an_error_quotes_nothing(self):
        try:
            int("Monsoon-Ledger-47")
        except ValueError:
            self.logger.exception("it_failed")
        self.assertEqual(self.line()["error"], "invalid literal for int() with base 10: '…'")

    def test_a_quoted_value_is_hidden_wherever_it_stands(self):
        for text in ("'{}', and more", "no '{}' here", '"{}": no', "'{}' and 'it''s'", '("{}", 4)', "'never closed {}"):
            with self.subTest(text):
                self.setUp()
                self.fail_with(LookupError(text.format("Monsoon-Ledger-47")))
                self.assertNotIn("Monsoon", self.written())

    def test_database_errors_lose_their_rows_and_parameters(self):
        for text in (
            'duplicate key violates constraint "user_email"\nDETAIL:  Key (name)=(Asha Rao) already exists.',
            'null value in column "x"\nDETAIL:  Failing row contains (7, Asha Rao, t).',
            "cannot cast\nCONTEXT:  unnamed portal parameter $1 = Asha Rao",
            "syntax error\nLINE 1: SELECT Asha Rao\n               ^",
            "Key (name)=(Asha Rao) is not present",
        ):
            self.setUp()
            self.fail_with(RuntimeError(text))
            self.logger.error("wrong: %s", text, extra={"text": text})
            self.assertNotIn("Asha", self.written())

    def test_a_traceback_is_places_only(self):
        password = "Monsoon-Ledger-47"  # noqa: F841 - a local variable that a traceback could show

        def sign_in(given):
            raise RuntimeError("broken")

        try:
            sign_in("Monsoon-Ledger-47")
        except RuntimeError:
            self.logger.exception("it_failed")
        line = self.line()
        self.assertNotIn("Monsoon", self.written())
        self.assertEqual((line["exception"], line["error"]), ("builtins.RuntimeError", "broken"))
        self.assertRegex(line["traceback"][-1], r"test_formatter\.py:\d+ sign_in$")

    def test_the_cause_is_told(self):
        error = RuntimeError("seal")
        error.__cause__ = OSError("disk")
        self.fail_with(error)
        self.assertEqual(self.line()["caused_by"][0]["exception"], "builtins.OSError")

    def test_causes_that_lead_back_to_each_other_stand_once(self):
        """As those of Redis do, which is asked again after it was silent."""
        error = OSError("silent")
        error.__cause__ = ConnectionError("interrupted")
        error.__cause__.__cause__ = error
        self.fail_with(error)
        self.assertEqual([one["error"] for one in self.line()["caused_by"]], ["interrupted"])
