"""How the score tells honest texts from attacks, over all of `tests/vectors`."""

import json
from unittest import TestCase

import pytest

from security.screening.patterns import PATTERNS, Kind
from security.screening.score import NOTHING, _matches, is_plain, is_plain_json, score
from tests.security.screening.vectors import ATTACKS, BENIGN

pytestmark = pytest.mark.embedded  # no store is asked

# The default of SCREENING_THRESHOLD.
THRESHOLD = 5


def finding(text):
    return score([("body", text)])


class Vectors(TestCase):
    """There are many, and none stands twice."""

    def test_of_each_at_least_three_hundred(self):
        for found in (BENIGN, ATTACKS):
            self.assertGreaterEqual(len(found), 300)
            self.assertEqual(len({text for _, text in found}), len(found))

    def test_each_kind_of_attack_has_some(self):
        for kind in set(Kind) - {Kind.PADDING}:
            self.assertGreaterEqual(sum(heading == kind for heading, _ in ATTACKS), 20, kind)


class HonestTexts(TestCase):
    """None is refused, and hardly one is noticed."""

    def test_none_reaches_the_threshold(self):
        self.assertEqual([text for _, text in BENIGN if finding(text).total >= THRESHOLD], [])

    def test_at_most_two_in_a_hundred_are_noticed(self):
        noticed = [text for _, text in BENIGN if finding(text) is not NOTHING]
        print(f"\n{len(BENIGN)} honest texts: 0 blocked, {len(noticed)} noticed: {noticed}")
        self.assertLessEqual(len(noticed), len(BENIGN) / 50, noticed)

    def test_none_becomes_an_attack_beside_the_others(self):
        # A long form is its worst field, not their sum.
        worst = max(finding(text).total for _, text in BENIGN)
        for start in range(0, len(BENIGN), 10):
            form = [("body", text) for _, text in BENIGN[start : start + 10]]
            self.assertLessEqual(score(form).total, worst)


class Attacks(TestCase):
    """At least 98 in a hundred are noticed, under the kind they are of."""

    def test_they_are_noticed(self):
        missed = [text for _, text in ATTACKS if finding(text) is NOTHING]
        blocked = sum(finding(text).total >= THRESHOLD for _, text in ATTACKS)
        print(
            f"\n{len(ATTACKS)} attacks: {1 - len(missed) / len(ATTACKS):.1%} noticed, "
            f"{blocked / len(ATTACKS):.1%} blocked at {THRESHOLD}"
        )
        self.assertLessEqual(len(missed), len(ATTACKS) * 0.02, missed)

    def test_under_their_kind(self):
        others = [text for kind, text in ATTACKS if kind not in finding(text).kinds]
        self.assertLessEqual(len(others), len(ATTACKS) * 0.02, others)

    def test_the_cheap_look_lets_none_pass_that_the_patterns_know(self):
        for _, text in ATTACKS:
            if _matches(text)[0]:
                self.assertFalse(is_plain(text), text)
                for dumped in (json.dumps({"a": text}), json.dumps({"a": text}, ensure_ascii=False)):
                    self.assertFalse(is_plain_json(dumped.encode()), text)

    def test_every_pattern_knows_one(self):
        known = {id(pattern) for _, text in ATTACKS for pattern in _matches(text)[0]}
        self.assertEqual([p.expression.pattern for p in PATTERNS if id(p) not in known], [])
