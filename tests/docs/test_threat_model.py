"""The policy and the threat model name only what exists, and the policy says what security.txt says."""

import re
from unittest import TestCase

import pytest

from security.wellknown.security_txt import CONTACT
from tests.architecture.code import ROOT

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded

POLICY, MODEL = (ROOT / "docs" / name for name in ("SECURITY.md", "threat-model.md"))


class SecurityDocuments(TestCase):
    """What a finder of weaknesses and an auditor read first."""

    def test_every_test_and_page_that_they_name_exists(self):
        for page in (POLICY, MODEL):
            text = page.read_text()
            for name in re.findall(r"`(tests/[^`]+)`", text):
                self.assertTrue((ROOT / name).is_file(), name)
            for name in re.findall(r"\]\(([^)#:]+)\)", text):
                self.assertTrue((page.parent / name).is_file(), name)

    def test_each_row_of_attackers_is_held_by_a_test(self):
        section = MODEL.read_text().split("## Attackers")[1].split("## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
        self.assertGreaterEqual(len(rows), 25)
        for row in rows:
            self.assertRegex(row, r"\| `tests/[a-z_/]+\.py` \|$")

    def test_whom_to_write_to_is_one(self):
        self.assertIn(CONTACT.removeprefix("mailto:"), POLICY.read_text())
