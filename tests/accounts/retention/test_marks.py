"""Whatever ends `audit_retention` before it is done leaves an event, not only what it refuses by its own rules."""

from io import StringIO
from unittest import mock
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from security.audit import LeafRefused
from security.retention import ArchiveWrong
from security.tlog import LogForked, NotSealed, ProofWrong, SealRefused, SignerUnavailable
from tests.base import ApiTestCase

pytestmark = pytest.mark.embedded

ENDS = {
    "archive": ArchiveWrong("it was changed"),
    "not_sealed": NotSealed("nothing is signed"),
    "forked": LogForked("another tree"),
    "signer": SignerUnavailable("no folder"),
    "file": OSError(28, "No space left on device"),
}


class Marks(ApiTestCase):
    def end(self, error: Exception) -> dict:
        plan = uuid4()
        with (
            mock.patch.multiple("accounts.retention.services", find_plan=mock.Mock(side_effect=error)),
            self.assertRaises(CommandError),
        ):
            call_command("audit_retention", "--run", str(plan), stdout=StringIO(), stderr=StringIO())
        data = self.audited("retention.refused")[-1].parsed_leaf().data
        self.assertEqual(data["plan"], str(plan))
        return data

    def test_each_failure_is_named(self):
        for word, error in ENDS.items():
            self.assertEqual(self.end(error)["reason"], word)

    def test_what_was_changed_is_told_as_such(self):
        for error in (LeafRefused("no leaf"), ProofWrong("no proof"), SealRefused("not what was recorded")):
            self.assertEqual(self.end(error)["reason"], "changed")
