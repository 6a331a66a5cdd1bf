"""Who may keep data between requests, and who may compress an answer: each place by name, with its reason."""

import ast
from collections.abc import Callable, Iterator
from unittest import TestCase

import pytest

from tests.architecture.code import ROOT, modules, parsed
from tests.architecture.rules import Rule, breaches

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded


def _imports(*names: str) -> Callable[[ast.AST], Iterator[ast.AST]]:
    def find(node: ast.AST) -> Iterator[ast.AST]:
        found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        if any(f"{one}.".startswith(f"{name}.") for one in found for name in names):
            yield node

    return find


def _compresses(node: ast.AST) -> Iterator[ast.AST]:
    yield from _imports("django.middleware.gzip", "django.views.decorators.gzip")(node)
    if isinstance(node, ast.Constant) and node.value == "Content-Encoding":
        yield node


BY_HAND = Rule(
    "cache by hand",
    "What is kept without a version and a scope is shown after it changed, or to somebody else.",
    _imports(
        "django.core.cache", "django_redis", "django.views.decorators.cache.cache_page", "django.middleware.cache"
    ),
    {
        "security/selectors/shared.py::": "The one cache of data.",
        "security/limits/counting.py::": "Counts requests, which no table has.",
        "security/limits/services.py::": "Likewise, and asks beside it whether a session is marked as revoked.",
        "accounts/sessions/revocation.py::": "Says that a session is revoked, never that it lives.",
        "monitoring/health/probes.py::": "Measures the round trip.",
    },
)
COMPRESSED = Rule(
    "compressed answer",
    "Its length tells what a secret in it has in common with what an attacker put beside it (BREACH).",
    _compresses,
    {"security/public_document.py::public_document": "What everybody may read holds no secret."},
)


class Places(TestCase):
    """Nobody does either but where it is named."""

    def test_the_tree_keeps_them(self):
        for rule in (BY_HAND, COMPRESSED):
            found = {
                breach.place
                for file in modules()
                for breach in breaches(parsed(file), file.relative_to(ROOT).as_posix(), rule)
            }
            self.assertEqual(found, set(rule.allowed), rule.reason)

    def test_each_is_seen(self):
        for rule, lines in (
            (BY_HAND, ("from django.core.cache import caches", "import django.core.cache", "import django_redis")),
            (BY_HAND, ("from django.views.decorators.cache import cache_page",)),
            (COMPRESSED, ("from django.middleware.gzip import GZipMiddleware", "r['Content-Encoding'] = 'gzip'")),
        ):
            for line in lines:
                self.assertEqual(len(breaches(line, "app/part.py", rule)), 1, line)

    def test_their_neighbours_are_not(self):
        for line in ("from functools import cache", "from django.views.decorators.cache import never_cache"):
            self.assertEqual(breaches(line, "app/part.py", BY_HAND), [])
