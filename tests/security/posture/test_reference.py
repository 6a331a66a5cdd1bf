"""`docs/security-audit.md` explains every finding, in the registry's own words."""

import re

import pytest
from django.test import SimpleTestCase

from security.posture.registry import rules
from tests.security.posture.reference import PAGE, page

pytestmark = pytest.mark.embedded


class Reference(SimpleTestCase):
    """The page cannot drift from what is asked."""

    def test_it_stands_as_the_registry_would_write_it(self):
        self.assertEqual(PAGE.read_text(), page(), "run python -m tests.security.posture.reference")

    def test_each_finding_has_a_section(self):
        self.assertEqual(re.findall(r"^### (\S+)", PAGE.read_text(), re.MULTILINE), [rule.id for rule in rules()])
