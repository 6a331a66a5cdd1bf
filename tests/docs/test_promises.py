"""`docs/promises.md` names only what exists."""

import ast
import re
from unittest import TestCase

import pytest

from tests.architecture.code import ROOT

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded

ROW = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| (`[^`]+`|open) \| (`[^`]+`(?:, `[^`]+`)*|open) \|$")


def rows() -> list[tuple[str, str, list[str]]]:
    """(row id, module, tests) of each row; "" and none where open."""
    found = []
    for line in (ROOT / "docs/promises.md").read_text().splitlines():
        match = ROW.match(line)
        if match:
            module = "" if match[3] == "open" else match[3].strip("`")
            found.append((match[1], module, re.findall(r"`([^`]+)`", match[4])))
    return found


class Promises(TestCase):
    """Each row stands once; a kept row names a module and a test class that exist."""

    def test_all_ninety_one_rows_stand_once(self):
        ids = [row for row, _, _ in rows()]
        self.assertEqual(len(ids), 91)
        self.assertEqual(sorted(int(row[1:]) for row in ids), list(range(1, 92)))

    def test_a_row_is_kept_whole_or_open(self):
        for row, module, tests in rows():
            self.assertEqual(bool(module), bool(tests), row)

    def test_modules_and_tests_exist(self):
        for row, module, tests in rows():
            self.assertTrue((ROOT / module).exists(), f"{row}: {module}")
            for test in tests:
                path, _, name = test.partition("::")
                tree = ast.parse((ROOT / path).read_text())
                classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
                self.assertIn(name, classes, f"{row}: {test}")
