"""The words for a person's device."""

from unittest import TestCase

import pytest

from accounts.sessions.client_label import UNKNOWN, client_label

pytestmark = pytest.mark.embedded  # no store is asked


class ClientLabel(TestCase):
    """It names program and system as plain text, whatever the header holds."""

    def test_program_and_system(self):
        agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0"
        self.assertEqual(client_label(agent), "Chrome on Windows")

    def test_markup_and_hidden_characters_in_a_name_the_client_chose(self):
        for agent, label in (
            ("Lotus<b> /1.0 CFNetwork/1", "Lotus"),
            ("<b>/1.0 CFNetwork/1", UNKNOWN),
            ("Lo\x9dtus/1.0 CFNetwork/1", UNKNOWN),
            ("", UNKNOWN),
        ):
            with self.subTest(agent):
                self.assertEqual(client_label(agent), label)
