"""A rule is checked when it is made; those that come with the product each have a runbook."""

import re
import shlex
from dataclasses import replace
from unittest import TestCase

import pytest
from django.core.management import get_commands, load_command_class

from monitoring.alerts import RULES, Family, Rule, RuleInvalid, Severity
from monitoring.alerts.asking import UNANSWERED
from monitoring.alerts.gauges import BLOCKS, BLOCKS_MISSED, DEADLOCKS, GAUGES
from monitoring.alerts.rules import Events, Gauge, Quantile, Rate, Ratio, check_rules
from monitoring.metrics import metrics
from monitoring.rollups import BEATS, DISK_USED, MEMORY_USED, Selector
from monitoring.rollups.summing import SUMS
from security.audit import Action
from tests.architecture.code import ROOT, modules
from tests.monitoring.alerts.page import standing

pytestmark = pytest.mark.embedded  # no store is asked

PLAIN = Rule(
    name="plain",
    family=Family.ERRORS,
    severity=Severity.INFO,
    title="Plain",
    expression=Rate(of=Selector("kf_refusals_total"), seconds=60),
    threshold=5,
)
_S = Selector("s")
_COMMAND = re.compile(r"`\.venv/bin/python manage\.py ([^`]+)`")
_NAMES_OF_OTHERS = {
    "autovacuum_vacuum_cost_limit",
    "backend_xmin",
    "pg_dump",
    "pg_drop_replication_slot",
    "pg_prepared_xacts",
    "pg_terminate_backend",
    "prefetch_related",
    "shared_buffers",
}


class Validation(TestCase):
    """What contradicts itself is no rule."""

    def test_each_contradiction_is_named(self):
        for problem, fields in {
            "a name is snake_case of at most 40 letters": {"name": "Plain rule"},
            "a title is a sentence of at most 100 characters": {"title": ""},
            "it would clear above its threshold": {"clear": 6},
            "a threshold is not negative": {"threshold": -1.0},
            "times are not negative": {"for_seconds": -1},
            "a window is from 10 seconds to 30 days": {"expression": Rate(of=_S, seconds=5)},
            "a ratio has two windows": {"expression": Ratio(part=_S, whole=_S, windows=(60,), calm=60)},
            "a quantile lies between 0 and 1": {"expression": Quantile(of=_S, q=95, seconds=60)},
            "events have types": {"expression": Events(types=(), seconds=60)},
            "it inhibits itself": {"inhibits": ("plain",)},
        }.items():
            with self.subTest(problem), self.assertRaises(RuleInvalid) as refused:
                replace(PLAIN, **fields)
            self.assertEqual(str(refused.exception), f"{fields.get('name', 'plain')}: {problem}")

    def test_a_set_has_each_name_once_and_inhibits_what_is_there(self):
        with self.assertRaises(RuleInvalid):
            check_rules((PLAIN, PLAIN))
        with self.assertRaises(RuleInvalid):
            check_rules((replace(PLAIN, inhibits=("other",)),))
        with self.assertRaisesRegex(RuleInvalid, "never silent"):
            check_rules((replace(PLAIN, inhibits=("loud",)), replace(PLAIN, name="loud", is_never_silent=True)))


class TheRules(TestCase):
    """Those that come with the product look only at what is there."""

    def test_every_metric_of_a_rule_is_counted_by_somebody(self):
        counted = {family.name for family in metrics().registry.collect()}
        told = {BEATS, DISK_USED, MEMORY_USED, DEADLOCKS, BLOCKS, BLOCKS_MISSED, *(total.name for total in SUMS)}
        for rule in RULES:
            for field in ("of", "part", "whole", "less"):
                selector = getattr(rule.expression, field, None)
                if selector is not None:
                    name = selector.name.removesuffix("_bucket").removesuffix("_total")
                    self.assertIn(name, counted | told, rule.name)

    def test_every_gauge_is_measured_and_every_measure_has_a_rule(self):
        named = {rule.expression.name for rule in RULES if isinstance(rule.expression, Gauge)}
        self.assertEqual(named - {UNANSWERED.name}, set(GAUGES))

    def test_every_event_can_be_recorded(self):
        types = {action.type for action in Action}
        for rule in RULES:
            self.assertLessEqual(set(getattr(rule.expression, "types", ())), types, rule.name)

    def test_each_has_a_runbook_and_each_runbook_a_rule(self):
        books = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")}
        self.assertEqual({rule.name for rule in RULES} | {"alert_test"}, books)


class Runbooks(TestCase):
    """What a runbook tells you to type is there to be typed."""

    def test_every_command_exists_and_takes_these_arguments(self):
        found = 0
        for path in (ROOT / "docs/runbooks").glob("*.md"):
            for text in _COMMAND.findall(" ".join(path.read_text().split())):
                name, *arguments = shlex.split(text)
                with self.subTest(f"{path.name}: {text}"):
                    self.assertIn(name, get_commands())
                    command = load_command_class(get_commands()[name], name)
                    command.create_parser("manage.py", name).parse_args(arguments)
                    found += 1
        self.assertGreater(found, 15)

    def test_every_name_is_in_our_code_or_somebody_elses(self):
        code = " ".join(path.read_text() for path in modules()) + " ".join(get_commands())
        words = set(re.findall(r"[a-z0-9_]+", code)) | _NAMES_OF_OTHERS
        for path in (ROOT / "docs/runbooks").glob("*.md"):
            names = re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", path.read_text())
            self.assertEqual([name for name in names if name.removesuffix("_total") not in words], [], path.name)

    def test_every_link_leads_somewhere(self):
        for path in (ROOT / "docs/runbooks").glob("*.md"):
            for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
                self.assertTrue((path.parent / link).exists(), f"{path.name}: {link}")

    def test_each_begins_with_the_sentence_of_its_rule(self):
        for rule in RULES:
            first, _, second, *_ = (ROOT / f"docs/runbooks/{rule.name}.md").read_text().splitlines()
            self.assertEqual((first, second), (f"# {rule.title}", standing(rule)))
