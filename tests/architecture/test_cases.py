"""No test case takes a name of what it stands on: its own `fail`, `id` or `settings` would break who calls theirs."""

import ast
import unittest
from collections.abc import Iterator
from unittest import TestCase

import django.test
import pytest

from tests.architecture.code import ROOT

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded

KINDS = {"TestCase", "SimpleTestCase", "TransactionTestCase"}
TAKEN = set(dir(django.test.TestCase)) | set(vars(unittest.TestCase()))
# Made to be written anew.
OFFERED = {
    "setUp",
    "tearDown",
    "setUpClass",
    "tearDownClass",
    "setUpTestData",
    "databases",
    "reset_sequences",
    "maxDiff",
}


class TakenNames(TestCase):
    """Test cases, and what is mixed into them, keep off the names of unittest and Django."""

    def test_none_is_taken(self):
        found = {path: list(classes(path.read_text())) for path in sorted((ROOT / "tests").rglob("*.py"))}
        cases = cases_of([one for ones in found.values() for one in ones])
        self.assertGreater(len(cases), 300)
        for path, ones in found.items():
            for one in ones:
                if one.name in cases:
                    taken = sorted(name for name in names(one) & TAKEN - OFFERED if not name.startswith("__"))
                    self.assertFalse(taken, f"{path.relative_to(ROOT)}: {one.name} has its own {taken}")

    def test_each_way_to_take_one_is_seen(self):
        for text in ("settings = 1", "id: int = 1", "def fail(self): ...", "def setUp(self): self.run, x = 1, 2"):
            [one] = classes(f"class Example(Mixin, TestCase):\n    {text}")
            self.assertEqual(len(names(one) & TAKEN - OFFERED), 1, text)
            self.assertEqual(cases_of([one]), {"Example", "Mixin"})


def classes(text: str) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))


def cases_of(found: list[ast.ClassDef]) -> set[str]:
    """Names of the classes that end in a test case, and of those that one of them is made of."""
    bases: dict[str, set[str]] = {}
    for one in found:  # two of one name are taken for one
        bases.setdefault(one.name, set()).update(ast.unparse(base).rpartition(".")[2] for base in one.bases)
    cases: set[str] = set()
    while more := {name for name, own in bases.items() if own & (cases | KINDS)} - cases:
        cases |= more
    while more := set().union(*(bases.get(name, ()) for name in cases)) - cases - KINDS:
        cases |= more
    return cases


def names(one: ast.ClassDef) -> set[str]:
    """What is bound in the body of a class, or upon `self` and `cls`."""
    found = set()
    for node in one.body:
        found |= {node.name} if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else set()
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    for node in ast.walk(one):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found |= {node.attr} if ast.unparse(node.value) in ("self", "cls") else set()
    return found
