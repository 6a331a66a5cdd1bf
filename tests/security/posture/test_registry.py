"""The registry: what is asked, how failures are told, and the same rules as Django system checks."""

from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.core.checks import ERROR, INFO, WARNING, run_checks
from django.test import SimpleTestCase, TestCase, override_settings

from security.posture import Fault, NotVerified, Reads, Severity, audit_installation, finding
from security.posture.registry import MOST_NAMED, Rule, ask, rules
from security.posture.system_checks import messages
from tests.security.posture.plants import production

pytestmark = pytest.mark.embedded


def a_rule(question: Callable, **fields: object) -> Rule:
    values = {
        "id": "KF.X001",
        "severity": Severity.MEDIUM,
        "title": "A fault",
        "why": "It hurts.",
        "remedy": "Mend it.",
        "reads": Reads.CONFIGURATION,
        "production_only": False,
    }
    return Rule(**{**values, **fields}, question=question)


def broken():
    yield Fault("one", "found before it broke")
    raise ConnectionError("password=invented host=db.example.in")


def closed():
    raise NotVerified("the table is missing")
    yield


class Rules(SimpleTestCase):
    """Each rule has an id of its own and says why it matters and what to do."""

    def test_there_are_enough_and_each_is_whole(self):
        self.assertGreaterEqual(len(rules()), 25)
        self.assertGreaterEqual(sum(rule.reads is Reads.CONFIGURATION for rule in rules()), 25)
        for rule in rules():
            self.assertRegex(rule.id, r"^KF\.[SLPM]\d{3}$")
            for text in (rule.why, rule.remedy):
                self.assertTrue(text.strip(), rule.id)

    def test_an_id_is_taken_once(self):
        with self.assertRaisesMessage(ValueError, "KF.S001"):
            finding("KF.S001", severity=Severity.LOW, title="", why="", remedy="")(list)

    def test_many_subjects_are_told_as_one(self):
        faults = [Fault(f"person {number}", "x") for number in range(MOST_NAMED + 7)]
        self.assertEqual(len(ask(a_rule(lambda: faults[:MOST_NAMED])).faults), MOST_NAMED)
        answer = ask(a_rule(lambda: faults))
        self.assertEqual([fault.subject for fault in answer.faults], ["many"])
        self.assertIn("107 of them", answer.faults[0].detail)
        self.assertIn("person 0, person 1", answer.faults[0].detail)


class NotVerifiedIsAFailure(SimpleTestCase):
    """A rule that cannot be asked is told, fails the run, and takes no other rule with it."""

    def report(self, *questions: Callable):
        asked = [a_rule(question, id=f"KF.X{at:03}") for at, question in enumerate(questions)]
        return audit_installation(asked)

    def test_one_broken_rule_among_others(self):
        with self.assertLogs("security.posture", "WARNING"):
            report = self.report(broken, lambda: [Fault("two", "found")])
        self.assertEqual([trouble.id for trouble in report.troubles], ["KF.X000"])
        self.assertEqual([found.key for found in report.findings], ["KF.X001:two"])
        self.assertEqual(report.verified, ("KF.X001",))
        self.assertEqual(report.exit_code(fail_on=None), 2)

    def test_its_reason_holds_no_value(self):
        with self.assertLogs("security.posture", "WARNING"):
            report = self.report(broken)
        self.assertEqual(report.troubles[0].reason, "ConnectionError")

    def test_a_rule_may_say_why(self):
        self.assertEqual(self.report(closed).troubles[0].reason, "the table is missing")


class ExitCodes(SimpleTestCase):
    """0 when nothing is as bad as asked for, 1 when something is."""

    def test_by_severity(self):
        worst_to_least = list(Severity)
        for found in Severity:
            report = audit_installation([a_rule(lambda: [Fault("one", "x")], severity=found)])
            for fail_on in Severity:
                is_as_bad = worst_to_least.index(found) <= worst_to_least.index(fail_on)
                self.assertEqual(report.exit_code(fail_on=fail_on), int(is_as_bad), (found, fail_on))
            self.assertEqual(report.exit_code(fail_on=None), 0)

    def test_the_worst_is_told_first(self):
        asked = [
            a_rule(lambda: [Fault("one", "x")], id=id_, severity=severity)
            for id_, severity in (("KF.X001", Severity.LOW), ("KF.X002", Severity.CRITICAL), ("KF.X003", Severity.HIGH))
        ]
        report = audit_installation(asked)
        self.assertEqual([found.id for found in report.findings], ["KF.X002", "KF.X003", "KF.X001"])
        self.assertEqual(report.counts, {"critical": 1, "high": 1, "medium": 0, "low": 1})


class SystemChecks(TestCase):
    """Rules on configuration are Django system checks with the same ids; none of them asks the database."""

    def checked(self, *, deploy: bool) -> dict[str, int]:
        run = run_checks(tags=["security"], include_deployment_checks=deploy)
        return {message.id: message.level for message in run if message.id.startswith("KF.")}

    def test_a_fault_is_reported_by_manage_check(self):
        with production(DEBUG=True, BCRYPT_ROUNDS=10, API_DOCS_PUBLIC=True):
            self.assertEqual(self.checked(deploy=True), {"KF.S001": ERROR, "KF.S022": WARNING, "KF.S009": INFO})
            self.assertEqual(self.checked(deploy=False), {"KF.S001": ERROR})

    def test_sound_settings_pass_without_a_query(self):
        with production(), self.assertNumQueries(0):
            self.assertEqual(self.checked(deploy=True), {})

    @override_settings(ENVIRONMENT="local", BCRYPT_ROUNDS=4)
    def test_rules_of_production_are_silent_elsewhere(self):
        self.assertNotIn("KF.S022", self.checked(deploy=True))

    def test_the_message_says_what_to_do(self):
        rule = next(rule for rule in rules() if rule.id == "KF.S001")
        with override_settings(DEBUG=True):
            (message,) = messages(rule)
        self.assertIn("DEBUG is True", message.msg)
        self.assertEqual(message.hint, rule.remedy)

    def test_a_check_that_cannot_be_made_is_a_warning(self):
        (message,) = messages(a_rule(closed))
        self.assertEqual((message.level, message.id), (WARNING, "KF.X001"))
        self.assertIn("the table is missing", message.msg)

    def test_every_rule_on_configuration_is_one(self):
        unanswered = patch("security.posture.system_checks.ask", lambda rule: ask(a_rule(closed, id=rule.id)))
        with production(), unanswered:
            ids = set(self.checked(deploy=True))
        self.assertEqual(ids, {rule.id for rule in rules() if rule.reads is Reads.CONFIGURATION})
