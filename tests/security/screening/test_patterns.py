"""No text, however made, costs more than a bounded amount of work (CWE-1333)."""

import resource
import subprocess
import sys
from re import _constants as ops
from re import _parser
from unittest import TestCase, mock

import pytest

from security.screening import score
from security.screening.patterns import PATTERNS
from tests.architecture.code import ROOT

pytestmark = pytest.mark.embedded  # no store is asked

# Ways a pattern may try at one character of the text, before it gives up there; counted high: alternatives multiply.
MAX_WAYS = 400_000
MAX_REPETITION = 300
CPU_SECONDS = 60

_LOOKAROUND = (ops.ASSERT, ops.ASSERT_NOT)
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)

# Run apart, under a limit of the kernel's: a text that explodes is killed and not waited for.
_PROGRAM = """
import time
from security.screening.score import is_plain_json, score
from security.screening.texts import texts_of_json, texts_of_query
seeds = ["'", '"', "<", "<a ", "<a onx", "%25", "%", "&#", "&lt;", "&", "\\\\", "\\\\u0027", "/*", "*/", "../", "..",
    "{{", "${", "$(", "{%", ";", "; ", "|", "`", "`ls ", " or 1", "' or ", "'or'", "select ", "union select ", "(",
    "((", " ", "x", "\\t", "\\n", "\\r\\n", "1,", "null,", "null , ", "\\ufdfa", "\\uff1c", "%c0%ae", "on", "on=",
    "j a v a ", "case when ", "if(a,", "insert into a", "update a set ", "group by ", "db.", "this.", "\\x00", "0x",
    "\\x1b", "|| 1", "a.", "=", "#", "-", "$", "{", "[", "[[", "]", "}", ":", '":', '",', '{"a":', '["a",', "\\u0905"]
worst = (0.0, "")
for seed in seeds:
    for text in ((seed * 10_000)[:10_000], (seed * 10_000)[:10_000] + "!", "x" * 10 + (seed * 10_000)[:9_990]):
        raw = text.encode() * 6
        started = time.process_time()
        score([("body", text)])
        worst = max(worst, (time.process_time() - started, seed))
        score(texts_of_json(raw))
        score(texts_of_query(text))
        is_plain_json(raw)
print(f"dearest of {3 * len(seeds)} texts of 10 kB: {worst[0] * 1000:.1f} ms of CPU, of {worst[1]!r}")
"""


def ways(tree):
    """Upper bound of the ways to match the parsed `tree` from one place; fails the caller on an endless one."""
    product = 1
    for op, argument in tree:
        if op in _REPEATS:
            least, most, inner = argument
            assert most <= MAX_REPETITION, f"repeats {most} times"
            inside = ways(inner)
            product *= (most - least + 1) * (inside**most if inside > 1 else 1)
        elif op is ops.SUBPATTERN:
            product *= ways(argument[3])
        elif op is ops.BRANCH:
            product *= sum(ways(branch) for branch in argument[1])
        elif op in _LOOKAROUND:
            product *= ways(argument[1])
        else:
            assert op in (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY, ops.AT, ops.GROUPREF), op
    return product


class Work(TestCase):
    """Bounded by the patterns' own form, and by what the kernel allows."""

    def test_each_pattern_tries_a_bounded_number_of_ways_at_each_character(self):
        counted = {pattern.expression.pattern: ways(_parser.parse(pattern.expression.pattern)) for pattern in PATTERNS}
        dearest = max(counted, key=counted.get)
        print(f"\n{len(PATTERNS)} patterns, at most {counted[dearest]} ways at a character: {dearest[:60]}…")
        self.assertLessEqual(counted[dearest], MAX_WAYS, dearest)

    def test_the_characters_of_a_request_are_bounded_in_however_many_values(self):
        for text in ("<" * 4000, "<\ufdfa" * 1000, "<b"):
            read = []

            def matches(*told, look=score._matches, read=read):
                read.append(look(*told))
                return read[-1]

            with mock.patch.object(score, "_matches", matches):
                score.score([("body", text)] * 50)
            self.assertGreater(len(read), 0)
            self.assertLessEqual(sum(characters for _, characters in read), score.MAX_CHARACTERS)
        self.assertLessEqual(score.MAX_CHARACTERS, 2048)  # 8 ms of CPU; see tests.performance.redos

    def test_an_endless_repetition_would_be_found(self):
        for endless in (r"a+", r"(?:a|b)*c", r"a{0,9999}"):
            with self.assertRaises(AssertionError):
                ways(_parser.parse(endless))
        self.assertGreater(ways(_parser.parse(r"(?:a{1,9}){1,9}")), MAX_WAYS)

    def test_ten_kilobytes_made_to_be_dear_are_done_within_the_limit(self):
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS)),
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        print(f"\n{ended.stdout.strip()}")


class Table(TestCase):
    """Each row is weighed and explained."""

    def test_weights_are_those_of_the_core_rule_set(self):
        for pattern in PATTERNS:
            self.assertIn(pattern.weight, (2, 3, 4, 5), pattern.reason)

    def test_each_has_a_reason_in_words(self):
        for pattern in PATTERNS:
            self.assertRegex(pattern.reason, r"^[A-Za-z].{4,80}$")

    def test_none_stands_twice(self):
        self.assertEqual(len({p.expression.pattern for p in PATTERNS}), len(PATTERNS))
