"""`docs/promises.md` names only what exists."""

import ast
import re
from unittest import TestCase

import pytest

from tests.architecture.code import ROOT

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded

ROW = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| (`[^`]+`|open) \| (`[^`]+`|open) \|$")


def rows() -> list[tuple[str, str, str]]:
    """(row id, module, test) of each row; "" where open."""
    found = []
    for line in (ROOT / "docs/promises.md").read_text().splitlines():
        match = ROW.match(line)
        if match:
            module, test = (
                cell.strip("`").replace("open", "", 1 if cell == "open" else 0) for cell in match.groups()[2:]
            )
            found.append((match[1], module, test))
    return found


class Promises(TestCase):
    """Each row stands once; a kept row names a module and a test class that exist."""

    def test_all_ninety_one_rows_stand_once(self):
        ids = [row for row, _, _ in rows()]
        self.assertEqual(len(ids), 91)
        self.assertEqual(sorted(int(row[1:]) for row in ids), list(range(1, 92)))

    def test_a_row_is_kept_whole_or_open(self):
        for row, module, test in rows():
            self.assertEqual(bool(module), bool(test), row)

    def test_modules_and_tests_exist(self):
        for row, module, test in rows():
            if not test:
                continue
            self.assertTrue((ROOT / module).exists(), f"{row}: {module}")
            path, _, name = test.partition("::")
            tree = ast.parse((ROOT / path).read_text())
            classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
            self.assertIn(name, classes, f"{row}: {test}")
