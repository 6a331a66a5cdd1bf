"""Files of secrets: modes that let other accounts in are found, each under its own id."""

from unittest.mock import patch

import pytest
from django.test import SimpleTestCase

from tests.security.posture.plants import configured, production

pytestmark = pytest.mark.embedded


class Modes(SimpleTestCase):
    """The data folder, keys and `.env` belong to their owner alone."""

    def setUp(self):
        super().setUp()
        context = production()
        self.folder = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)

    def write(self, path, mode: int):
        path.write_text("x")
        path.chmod(mode)
        return path

    def test_a_data_folder_that_others_may_enter(self):
        for mode in (0o750, 0o701):
            self.folder.chmod(mode)
            self.assertEqual(configured(), {"KF.S030"})
        self.folder.chmod(0o700)
        self.assertEqual(configured(), set())

    def test_key_files_in_it(self):
        for name in ("secret_key", "keyring.json", "keyring.json.before"):
            path = self.write(self.folder / name, 0o640)
            self.assertEqual(configured(), {"KF.S031"})
            path.chmod(0o600)
            self.assertEqual(configured(), set())

    def test_a_file_of_a_secret_anywhere(self):
        path = self.write(self.folder / "elsewhere", 0o444)
        with patch.dict("os.environ", {"KEYRING_FILE": str(path)}):
            for mode, expected in ((0o444, {"KF.S031"}), (0o460, {"KF.S031"}), (0o440, set()), (0o600, set())):
                path.chmod(mode)
                self.assertEqual(configured(), expected, oct(mode))

    def test_the_settings_file(self):
        path = self.write(self.folder.parent / ".env", 0o644)
        self.assertEqual(configured(), {"KF.S032"})
        path.chmod(0o600)
        self.assertEqual(configured(), set())
