"""The vocabulary of the audit log."""

import re
from datetime import date
from unittest import TestCase

import pytest

from security.audit import Action, AuditClass, Outcome
from security.audit.agent import agent_family

pytestmark = pytest.mark.embedded  # no store is asked

# Every word of the cheat sheet save those on file uploads, of which the product has none.
_WORDS = {
    "authn": "login_success login_successafterfail login_fail login_fail_max login_lock password_change "
    "password_change_fail impossible_travel token_created token_revoked token_reuse token_delete",
    "authz": "fail change admin",
    "crypt": "decrypt_fail encrypt_fail",
    "excess": "rate_limit_exceeded",
    "input": "validation_fail validation_discrete_fail",
    "malicious": "excess_404 extraneous attack_tool cors direct_reference",
    "privilege": "permissions_changed",
    "sensitive": "create read update delete",
    "sequence": "fail",
    "session": "created renewed expired use_after_expire",
    "sys": "startup shutdown restart crash monitor_disabled monitor_enabled",
    "user": "created updated archived deleted",
}
OWASP_VOCABULARY = {f"{group}_{word}" for group, words in _WORDS.items() for word in words.split()}


class Vocabulary(TestCase):
    """Every action has a dotted type of its own, a class, an outcome and a name that a SIEM knows."""

    def test_types_are_dotted_and_unique(self):
        types = [action.type for action in Action]
        self.assertEqual(len(types), len(set(types)))
        self.assertEqual([t for t in types if not re.fullmatch(r"[a-z_]+\.[a-z_]+", t) or len(t) > 64], [])

    def test_each_member_is_its_own_action(self):
        self.assertEqual(len(Action.__members__), len(list(Action)))  # an alias would swallow an event

    def test_an_action_is_found_by_its_type(self):
        self.assertIs(Action("session.created"), Action.SESSION_CREATED)
        with self.assertRaises(ValueError):
            Action("session.invented")

    def test_the_constant_says_the_type(self):
        self.assertEqual([a.name for a in Action if a.name != a.type.replace(".", "_").upper()], [])

    def test_every_action_maps_to_a_word_of_the_owasp_vocabulary(self):
        self.assertEqual([a.type for a in Action if a.owasp not in OWASP_VOCABULARY], [])

    def test_refusals_say_so(self):
        refusals = {a for a in Action if a.type.endswith(("refused", "denied", "reused", "locked_out"))}
        self.assertEqual(refusals, {a for a in Action if a.outcome is Outcome.REFUSED})


class Retention(TestCase):
    """How long an event is kept follows from its class."""

    def test_books_and_people_for_nine_years_sign_ins_for_one_floods_for_180_days(self):
        days = {c.value: c.retention_days for c in AuditClass}
        self.assertEqual(
            days,
            {"auth": 366, "access": 366, "noise": 180} | dict.fromkeys(["account", "admin", "books", "system"], 3288),
        )

    def test_books_until_eight_financial_years_after_their_own_are_over(self):
        needed = {(date(year + 9, 4, 1) - date(year, 4, 1)).days for year in range(2020, 2060)}
        self.assertEqual(max(needed), AuditClass.BOOKS.retention_days)


class AgentFamily(TestCase):
    """The log names the client's program from a closed list and keeps nothing of what the client wrote."""

    def test_browsers_that_call_themselves_each_other(self):
        webkit = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
        for family, header in {
            "Chrome": f"{webkit} Chrome/126.0.0.0 Safari/537.36",
            "Edge": f"{webkit} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
            "Opera": f"{webkit} Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0",
            "Safari": f"{webkit} Version/17.5 Safari/605.1.15",
            "Firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            "curl": "curl/8.5.0",
        }.items():
            with self.subTest(family=family):
                self.assertEqual(agent_family(header), family)

    def test_free_text_is_other_and_no_header_is_nothing(self):
        self.assertEqual(agent_family("asha@example.in " * 1000), "other")
        self.assertEqual(agent_family(""), "")
