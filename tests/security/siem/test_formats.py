"""What an event looks like to a SIEM: each format keeps to its standard, whatever stands in the event."""

import hashlib
import json
from datetime import UTC, datetime
from unittest import TestCase
from uuid import UUID

import pytest

from security.audit import Action, Leaf, Outcome
from security.audit.leaf import canonical
from security.siem.events import SealedEvent
from security.siem.ocsf import PLACES
from security.siem.syslog import FORMATS, message, octet_counted
from tests.security.siem.readers import cef, check_ocsf, frames, syslog

# What is computed from an event is the same on every store.
pytestmark = pytest.mark.embedded

ASHA, COMPANY = UUID(int=1), UUID(int=2)
AT = datetime(2026, 11, 24, 6, 0, 0, 123456, tzinfo=UTC)
HOSTILE = (
    "plain",
    "two\nlines",
    "carriage\r\nreturn",
    "<13>1 2026-11-24T06:00:00Z evil app - - - forged",
    "\n<13>1 2026-11-24T06:00:00Z evil app - - - forged",
    "9 <13>1 - -",
    "a|b|c",
    "|CEF:0|Evil|Evil|1|x|x|10|",
    "a=b suid=evil outcome=success",
    " cs1=evil",
    "back\\slash \\n \\= \\| \\\\",
    'quote " and ] bracket [meta sequenceId="1"]',
    "\\",
    "=",
    "\x00\x01\x07\x1b[31m\x7f\x85\u2028\u2029",
    "\ttab",
    "अशा राव ₹ 😀",
    "\ufeffmark",
    "x" * 1200,
)


def an_event(action=Action.SESSION_CREATED, *, index=41, outcome=None, **members) -> SealedEvent:
    values = {
        "id": UUID(int=7),
        "occurred_at": AT,
        "audit_class": action.audit_class.value,
        "type": action.type,
        "outcome": (outcome or action.outcome).value,
        "actor": ASHA,
        "target": None,
        "company": COMPANY,
        "session_id": "session-1",
        "request_id": "req-1",
        "node": "web-1",
        "data": {"fields": ["name"]},
    }
    leaf = Leaf(**(values | members)).encode()
    return SealedEvent(index, leaf, hashlib.sha256(b"\0" + leaf).digest())


def read(event: SealedEvent, form: str):
    return syslog(message(event, form=form, version="0.1.0"))


class Header(TestCase):
    """RFC 5424, in every format."""

    def test_says_when_where_and_what(self):
        told = read(an_event(), "json")
        self.assertEqual((told.facility, told.severity, told.at), (13, 6, AT))
        self.assertEqual((told.host, told.app, told.process, told.kind), ("web-1", "koshflow", "-", "session.created"))
        self.assertEqual(told.elements["origin"], {"software": "KoshFlow", "swVersion": "0.1.0"})

    def test_its_sequence_id_is_the_place_and_begins_again_where_the_standard_ends(self):
        for index, sequence in ((0, 1), (41, 42), (2**31 - 2, 2**31 - 1), (2**31 - 1, 1)):
            told = read(an_event(index=index), "json")
            self.assertEqual(told.elements["meta"], {"sequenceId": str(sequence)})

    def test_gravity_grows_with_the_outcome(self):
        for action, outcome, severity in (
            (Action.SESSION_CREATED, Outcome.SUCCESS, 6),
            (Action.SESSION_CREATE_REFUSED, Outcome.REFUSED, 5),
            (Action.SESSION_CREATED, Outcome.FAILED, 4),
            (Action.SESSION_LOCKED_OUT, Outcome.REFUSED, 4),
            (Action.RECORD_OUT_OF_BAND, Outcome.SUCCESS, 2),
        ):
            with self.subTest(action):
                self.assertEqual(read(an_event(action, outcome=outcome), "json").severity, severity)

    def test_every_type_fits(self):
        for action in Action:
            self.assertEqual(read(an_event(action), "json").kind, action.type)

    def test_the_longest_event_fits_a_datagram_in_every_format(self):
        for text in ("\x01", "अ", "é"):
            room = 7_500 // len(json.dumps(text, ensure_ascii=False)[1:-1].encode())
            event = an_event(data={"text": text * room})
            for form in FORMATS:
                self.assertLess(len(message(event, form=form, version="0.1.0")), 65_507)


class Injection(TestCase):
    """No value ends a message, begins another, or becomes a member of its own; and each arrives as it was."""

    def hostile_events(self):
        for text in HOSTILE:
            yield (
                text,
                an_event(node=text, request_id=text, session_id=text, data={"text": text, "more": [{"a": text}]}),
            )

    def test_every_message_stands_alone_in_the_stream(self):
        for form in FORMATS:
            messages = [message(event, form=form, version='1"]\\') for _, event in self.hostile_events()]
            found, rest = frames(octet_counted(messages))
            self.assertEqual((found, rest), (messages, b""))
            for one in found:
                told = syslog(one)
                self.assertEqual(set(told.elements), {"meta", "origin"})
                self.assertEqual(told.elements["origin"]["swVersion"], '1"]\\')

    def test_json_and_ocsf_hold_the_very_leaf_that_the_hash_is_of(self):
        for text, event in self.hostile_events():
            plain = json.loads(read(event, "json").text)
            mapped = json.loads(read(event, "ocsf").text)["unmapped"]
            for told in (plain, mapped):
                leaf = canonical(told["leaf"])
                self.assertEqual(hashlib.sha256(b"\0" + leaf).hexdigest(), told["leaf_hash"])
                self.assertEqual(told["leaf"]["data"]["text"], text)

    def test_cef_keeps_its_keys_and_values(self):
        expected = set(cef(read(an_event(), "cef").text).values)
        for text, event in self.hostile_events():
            with self.subTest(text):
                told = cef(read(event, "cef").text)
                self.assertEqual(set(told.values), expected)
                self.assertEqual((told.values["suid"], told.values["outcome"]), (str(ASHA), "success"))
                if text.isprintable() or text in ("two\nlines", "carriage\r\nreturn"):
                    self.assertEqual(told.values["cs4"], text)

    def test_only_what_the_leaf_holds_is_sent(self):
        event = an_event(pii={"email": "Y29tbWl0bWVudA=="})
        for form in FORMATS:
            self.assertNotIn("@", read(event, form).text)


class CommonEventFormat(TestCase):
    """ArcSight's keys, so that nobody writes a parser."""

    def test_an_event_in_full(self):
        event = an_event()
        told = cef(read(event, "cef").text)
        self.assertEqual(
            (told.vendor, told.product, told.version, told.kind, told.name, told.severity),
            ("KoshFlow", "KoshFlow", "0.1.0", "session.created", "session created", 1),
        )
        self.assertEqual(
            told.values,
            {
                "rt": "1795500000123",
                "externalId": str(UUID(int=7)),
                "cat": "auth",
                "act": "session.created",
                "outcome": "success",
                "suid": str(ASHA),
                "dvchost": "web-1",
                "cn1": "41",
                "cn1Label": "index",
                "cs1": event.leaf_hash.hex(),
                "cs1Label": "leafHash",
                "cs2": str(COMPANY),
                "cs2Label": "company",
                "cs3": "session-1",
                "cs3Label": "session",
                "cs4": "req-1",
                "cs4Label": "requestId",
                "cs5": '{"fields":["name"]}',
                "cs5Label": "data",
                "cs6": "authn_login_success",
                "cs6Label": "owasp",
            },
        )

    def test_what_an_event_does_not_say_is_left_out(self):
        told = cef(read(an_event(actor=None, company=None, session_id=None, data={}), "cef").text)
        self.assertFalse({"suid", "duid", "cs2", "cs2Label", "cs3", "cs5"} & told.values.keys())

    def test_what_is_longer_than_a_custom_string_may_be_is_cut(self):
        told = cef(read(an_event(data={"text": "x" * 5000}), "cef").text)
        self.assertEqual(len(told.values["cs5"]), 4000)

    def test_text_beyond_ascii_says_so(self):
        event = an_event(data={"text": "₹"})
        self.assertIn(b" \xef\xbb\xbfCEF:0|", message(event, form="cef", version="0.1.0"))
        self.assertIn("₹", read(event, "cef").text)


class OpenSchema(TestCase):
    """OCSF 1.5: each action has a class and an activity, and each event what its class requires."""

    def test_every_action_in_every_outcome(self):
        self.assertEqual(set(PLACES), set(Action))
        for action in Action:
            for outcome in Outcome:
                for people in ({}, {"actor": None, "company": None, "session_id": None}, {"target": COMPANY}):
                    document = json.loads(read(an_event(action, outcome=outcome, **people), "ocsf").text)
                    check_ocsf(document)
                    self.assertEqual(document["status_id"], 1 if outcome is Outcome.SUCCESS else 2)

    def test_the_acts_that_everybody_looks_for(self):
        for action, class_uid, activity in (
            (Action.SESSION_CREATED, 3002, 1),
            (Action.SESSION_CREATE_REFUSED, 3002, 1),
            (Action.SESSION_ENDED, 3002, 2),
            (Action.PASSWORD_CHANGED, 3001, 3),
            (Action.PASSWORD_RESET, 3001, 4),
            (Action.STAFF_REMOVED, 3001, 5),
            (Action.SUBJECT_ERASED, 3001, 6),
            (Action.SECOND_FACTOR_ENABLED, 3001, 10),
            (Action.SECOND_FACTOR_DISABLED, 3001, 11),
            (Action.ACCOUNT_UNLOCKED, 3001, 12),
            (Action.USER_VIEWED, 3004, 2),
            (Action.KEYS_REMOVED, 3004, 4),
            (Action.PERMISSION_DENIED, 6003, 99),
        ):
            with self.subTest(action):
                document = json.loads(read(an_event(action), "ocsf").text)
                self.assertEqual((document["class_uid"], document["activity_id"]), (class_uid, activity))

    def test_the_members_of_one(self):
        document = json.loads(read(an_event(target=COMPANY), "ocsf").text)
        self.assertEqual((document["time"], document["type_uid"]), (1795500000123, 300201))
        self.assertEqual(document["user"], {"uid": str(COMPANY)})
        self.assertEqual(document["actor"]["user"], {"uid": str(ASHA)})
        self.assertEqual(document["actor"]["session"], {"uid": "session-1"})
        self.assertEqual(document["metadata"]["uid"], str(UUID(int=7)))
        self.assertEqual(document["metadata"]["sequence"], 41)
        self.assertEqual(document["metadata"]["tenant_uid"], str(COMPANY))
        self.assertEqual(document["metadata"]["correlation_uid"], "req-1")

    def test_a_type_of_another_release_is_sent_all_the_same(self):
        event = an_event(type="invoice.posted")
        check_ocsf(json.loads(read(event, "ocsf").text))
        self.assertNotIn("cs6", cef(read(event, "cef").text).values)
