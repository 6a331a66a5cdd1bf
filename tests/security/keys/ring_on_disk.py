"""A ring in a file, as a server has one, and the command that rotates it."""

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.management import CommandError
from django.test import override_settings

from security.crypto import KeyRing
from tests.commands import output_of


class RingOnDisk:
    """Mixed into a test case: the process's ring lies in a file of the test."""

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)  # type: ignore[attr-defined]
        self.path = Path(folder.name) / "keyring.json"
        self.path.write_text(settings.KEYRING + "\n")
        self.path.chmod(0o600)
        changed = override_settings(KEYRING_FILE=str(self.path))
        changed.enable()
        self.addCleanup(changed.disable)  # type: ignore[attr-defined]
        waiting = mock.patch("security.management.commands.keys_rotate.wait")
        self.waited = waiting.start()
        self.addCleanup(waiting.stop)  # type: ignore[attr-defined]

    @property
    def ring(self) -> KeyRing:
        return KeyRing.parse(self.path.read_text())

    def states(self, use: str) -> list[str]:
        return [key.state for key in self.ring.keys if key.use == use]

    def rotate(self, *arguments: str, **options: Any) -> str:
        """What the command said."""
        return output_of("keys_rotate", *arguments, **options)

    def refused(self, *arguments: str) -> str:
        """The one line with which the command refused."""
        with self.assertRaises(CommandError) as error:  # type: ignore[attr-defined]
            self.rotate(*arguments)
        self.assertNotIn("\n", str(error.exception))  # type: ignore[attr-defined]
        return str(error.exception)
